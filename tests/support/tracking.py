"""Reading MLflow over REST, to see what a run really left there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from modelyard_api.labels import RUN_TAG_UID


@dataclass(frozen=True)
class Tracking:
    """One workspace; the client carries its account and header."""

    client: httpx.Client

    def runs_of(self, uid: str) -> list[dict[str, Any]]:
        """Every run that carries the uid of a TrainingJob, finished or not."""
        experiments = post(self.client, "experiments/search", {"max_results": 1000}).get("experiments", [])
        ids = [experiment["experiment_id"] for experiment in experiments]
        query = {"experiment_ids": ids, "filter": f"tags.`{RUN_TAG_UID}` = '{uid}'", "max_results": 100}
        found: list[dict[str, Any]] = post(self.client, "runs/search", query).get("runs", []) if ids else []
        return found

    def files_of(self, run_id: str, path: str) -> set[str]:
        """Names of the artifacts of a run in a directory."""
        answer = self.client.get("/api/2.0/mlflow/artifacts/list", params={"run_id": run_id, "path": path})
        assert answer.is_success, answer.text
        return {file["path"].removeprefix(f"{path}/") for file in answer.json().get("files", [])}

    def file(self, run_id: str, path: str) -> bytes:
        """An artifact of a run."""
        answer = self.client.get("/get-artifact", params={"run_id": run_id, "path": path})
        assert answer.is_success, answer.text
        return answer.content

    def versions_of(self, uid: str) -> list[dict[str, Any]]:
        """Every model version that carries the uid of a TrainingJob."""
        return self._versions(f"tags.`{RUN_TAG_UID}` = '{uid}'")

    def versions(self, model: str) -> list[dict[str, Any]]:
        """Every version of a model."""
        return self._versions(f"name='{model}'")

    def alias(self, model: str, alias: str) -> str | None:
        """Version that an alias points to."""
        answer = self.client.get(
            "/api/2.0/mlflow/registered-models/alias", params={"name": model, "alias": alias}
        )
        return str(answer.json()["model_version"]["version"]) if answer.is_success else None

    def _versions(self, query: str) -> list[dict[str, Any]]:
        answer = self.client.get(
            "/api/2.0/mlflow/model-versions/search", params={"filter": query, "max_results": 100}
        )
        assert answer.is_success, answer.text
        found: list[dict[str, Any]] = answer.json().get("model_versions", [])
        return found


def post(client: httpx.Client, path: str, body: Mapping[str, Any], known: str = "") -> dict[str, Any]:
    """What MLflow answers; nothing where it refuses with the code that is ``known``, such as that of what is there."""
    answer = client.post(f"/api/2.0/mlflow/{path}", json=dict(body))
    if known and answer.is_error and answer.json()["error_code"] == known:
        return {}
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found
