"""The calls. Reads by search where a name may be unknown, as MLflow refuses what it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from modelyard_api import labels
from modelyard_cli.errors import CommandError, UnavailableError
from modelyard_cli.runs import ModelVersion, Run

_ROOT = "/api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_PAGE = 200

Json = dict[str, Any]


class Tracking:
    """One workspace; the client carries login and workspace."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def run(self, run_id: str) -> Run | None:
        """A run by its id, or None."""
        return next(self._runs(f"attributes.run_id = '{run_id}'"), None)

    def runs_of_job(self, name: str) -> list[Run]:
        """Runs of TrainingJobs of this name, the latest first: a name may be used again once a job is gone."""
        return list(self._runs(f"tags.`{labels.RUN_TAG_JOB}` = '{name}'"))

    def runs(self, dataset: str | None = None) -> list[Run]:
        """Runs of TrainingJobs, the latest first; those on one Dataset, or all."""
        found = self._runs(f"tags.`{labels.RUN_TAG_JOB}` LIKE '%'", dataset)
        return list(found)

    def history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """Values of a metric by step."""
        query = {"run_id": run_id, "metric_key": metric, "max_results": "25000"}
        found = _checked(self._send("GET", f"{_ROOT}/metrics/get-history", query=query)).get("metrics", [])
        return [(int(item.get("step", 0)), float(item["value"])) for item in found]

    def file(self, run: Run, path: str) -> bytes | None:
        """A file of a run, or None."""
        base = run.artifact_uri.removeprefix("mlflow-artifacts:").strip("/")
        answer = self._send("GET", f"{_ARTIFACTS}/{base}/{path}")
        if answer.is_success:
            return answer.content
        if answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.INTERNAL_SERVER_ERROR}:
            # A store that lacks the file is an inner error to some of MLflow's releases.
            return None
        _checked(answer)
        return None

    def files(self, run: Run, folder: str) -> list[str]:
        """Paths of all files below a folder of a run; none where there is no such folder."""
        found: list[str] = []
        left = [folder]
        while left:
            query = {"run_id": run.id, "path": left.pop()}
            page = _checked(self._send("GET", f"{_ROOT}/artifacts/list", query=query))
            for item in page.get("files", []):
                (left if item.get("is_dir") else found).append(str(item["path"]))
        return sorted(found)

    def versions(self, model: str | None = None) -> list[ModelVersion]:
        """Versions of a model, or of all, the newest first, with the aliases that point to them."""
        named = {"filter": f"name='{model}'"} if model else {}
        aliases = {
            (found["name"], str(alias["version"])): alias["alias"]
            for found in self._pages("registered-models/search", "registered_models", named)
            for alias in found.get("aliases", [])
        }
        versions = [
            _version(item, aliases) for item in self._pages("model-versions/search", "model_versions", named)
        ]
        return sorted(versions, key=lambda version: (version.model, -version.number))

    def _runs(self, query: str, dataset: str | None = None) -> Iterator[Run]:
        experiments = [
            item["experiment_id"]
            for item in self._pages("experiments/search", "experiments", {})
            if dataset is None or item["name"] == dataset
        ]
        if not experiments:
            return
        body: Json = {
            "experiment_ids": experiments,
            "filter": query,
            "order_by": ["attributes.start_time DESC"],
            "max_results": _PAGE,
        }
        while True:
            page = _checked(self._send("POST", f"{_ROOT}/runs/search", body=body))
            yield from (_run(item) for item in page.get("runs", []))
            if not page.get("next_page_token"):
                return
            body["page_token"] = page["next_page_token"]

    def _pages(self, path: str, key: str, query: Mapping[str, str]) -> Iterator[Json]:
        asked = {**query, "max_results": str(_PAGE)}
        while True:
            page = _checked(self._send("GET", f"{_ROOT}/{path}", query=asked))
            yield from page.get(key, [])
            if not page.get("next_page_token"):
                return
            asked["page_token"] = page["next_page_token"]

    def _send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Json | None = None
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, params=query, json=body)
        except httpx.TransportError as error:
            raise UnavailableError(f"MLflow does not answer at {self._http.base_url}: {error}") from error


def _run(document: Json) -> Run:
    info, data = document["info"], document.get("data", {})
    return Run(
        id=info["run_id"],
        name=info.get("run_name", ""),
        status=info.get("status", ""),
        started=datetime.fromtimestamp(int(info.get("start_time", 0)) / 1000, UTC),
        artifact_uri=info.get("artifact_uri", ""),
        parameters={item["key"]: item["value"] for item in data.get("params", [])},
        tags={item["key"]: item["value"] for item in data.get("tags", [])},
        metrics={item["key"]: float(item["value"]) for item in data.get("metrics", [])},
    )


def _version(document: Json, aliases: Mapping[tuple[str, str], str]) -> ModelVersion:
    tags = {item["key"]: item.get("value", "") for item in document.get("tags", [])}
    name, version = document["name"], str(document["version"])
    return ModelVersion(
        model=name,
        number=int(version),
        alias=aliases.get((name, version), ""),
        run_id=document.get("run_id", ""),
        job=tags.get(labels.RUN_TAG_JOB, ""),
        dataset_digest=tags.get(labels.TAG_DATASET_DIGEST, ""),
        made=datetime.fromtimestamp(int(document.get("creation_timestamp", 0)) / 1000, UTC),
    )


def _checked(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.is_success and isinstance(found, dict):
        return found
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise UnavailableError(
            f"MLflow refuses the login (HTTP {answer.status_code})",
            "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or ask for the right to read the project's Secret",
        )
    message = found.get("message") if isinstance(found, dict) else None
    said = message or answer.text.strip()[:300] or f"HTTP {answer.status_code}"
    failed = answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    raise (UnavailableError if failed else CommandError)(f"MLflow says: {said}")
