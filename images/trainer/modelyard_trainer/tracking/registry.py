"""Versions of a registered model: one for each TrainingJob, found again by its uid.

Two pods of one job may register at the same time, each without a version to be found yet. What they register is the
same run; whoever's version is not the lowest removes it again.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelyard_api.labels import RUN_TAG_UID
from modelyard_runtime.tracking import MLflowClient, RefusedError

_EXISTS = "RESOURCE_ALREADY_EXISTS"


class Registry:
    """The registered models of a workspace."""

    def __init__(self, client: MLflowClient) -> None:
        self._client = client

    def find(self, name: str, uid: str) -> str | None:
        """The version that a job made: the lowest, should two pods make one each at the same time."""
        query = f"name='{name}' and tags.`{RUN_TAG_UID}` = '{uid}'"
        found = self._client.get("model-versions/search", {"filter": query, "max_results": "100"})
        versions = [int(version["version"]) for version in found.get("model_versions", [])]
        return str(min(versions)) if versions else None

    def register(self, name: str, run_id: str, tags: Mapping[str, str]) -> str:
        """The job's version of the model: the one that is there, or a new one. ``tags`` hold the job's uid."""
        uid = tags[RUN_TAG_UID]
        found = self.find(name, uid)
        if found is not None:
            return found
        try:
            self._client.post("registered-models/create", {"name": name})
        except RefusedError as error:
            if error.code != _EXISTS:
                raise
        body = {
            "name": name,
            "source": f"runs:/{run_id}/model",
            "run_id": run_id,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        made = self._client.create(
            "model-versions/create",
            body,
            find=lambda: self.find(name, uid),
            made=lambda answer: str(answer["model_version"]["version"]),
        )
        lowest = self.find(name, uid) or made
        if lowest != made:
            self._client.delete("model-versions/delete", {"name": name, "version": made})
        return lowest
