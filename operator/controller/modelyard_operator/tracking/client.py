"""The calls. Every one names the project's workspace; reads by search, as unknown names are refused as forbidden."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import aiohttp
from pydantic import ValidationError

from modelyard_api import labels
from modelyard_api.contract import steps
from modelyard_api.contract.training_record import RECORD_FILE, TrainingRecord
from modelyard_operator.errors import TrackingError, UnavailableError
from modelyard_operator.objects.registry import (
    Earlier,
    Experiment,
    ExperimentPage,
    FilePage,
    ModelPage,
    RegisteredModel,
    Run,
    RunAnswer,
    RunPage,
    Version,
    VersionPage,
)

WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"

_ROOT = "/api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
_PAGE = 200
_RUNS_A_PAGE = 1000
_REMEMBERED_RUNS = 2000


class Tracking:
    """One connection pool. ``fence`` raises where nothing may be written; it is asked before each write."""

    def __init__(self, url: str, credentials: Path, fence: Callable[[], None], *, workspaces: bool) -> None:
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._fence = fence
        self._workspaces = workspaces
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False)
        self._metrics: OrderedDict[str, dict[str, float]] = OrderedDict()

    async def close(self) -> None:
        """Ends the connections."""
        await self._session.close()

    async def model(self, project: str, name: str) -> RegisteredModel | None:
        """A registered model with its aliases, or None."""
        data = await self._get(project, "registered-models/search", {"filter": f"name='{name}'"})
        return next(
            (item for item in ModelPage.model_validate_json(data).registered_models if item.name == name),
            None,
        )

    async def versions(self, project: str, model: str) -> list[Version]:
        """All versions of a model, the newest first."""
        query = {"filter": f"name='{model}'", "max_results": str(_PAGE)}
        found: list[Version] = []
        while True:
            page = VersionPage.model_validate_json(await self._get(project, "model-versions/search", query))
            found += page.model_versions
            if not page.next_page_token:
                return sorted(found, key=lambda version: version.number, reverse=True)
            query["page_token"] = page.next_page_token

    async def metrics(self, project: str, run_id: str) -> dict[str, float]:
        """Metrics of a run. Those of a finished one are remembered: they do not change any more."""
        known = self._metrics.get(run_id)
        if known is not None:
            self._metrics.move_to_end(run_id)
            return known
        run = await self._run(project, run_id)
        metrics = {item.key: item.value for item in run.data.metrics}
        if run.info.status == "FINISHED":
            self._metrics[run_id] = metrics
            if len(self._metrics) > _REMEMBERED_RUNS:
                self._metrics.popitem(last=False)
        return metrics

    async def finished_runs(self, project: str, tag: str, since: int) -> list[Earlier]:
        """Finished runs that carry a tag and ended at this time or later, in milliseconds since 1970; deleted ones too."""
        names = {each.experiment_id: each.name for each in await self._experiments(project)}
        body: dict[str, object] = {
            "experiment_ids": list(names),
            "filter": f"attributes.status = 'FINISHED' AND attributes.end_time >= {since} AND tags.`{tag}` LIKE '%'",
            "max_results": _RUNS_A_PAGE,
            "run_view_type": "ALL",
        }
        found: list[Run] = []
        while names:
            page = RunPage.model_validate_json(await self._search(project, "runs/search", body))
            found += page.runs
            if not page.next_page_token:
                break
            body["page_token"] = page.next_page_token
        return [_earlier(run, names.get(run.info.experiment_id, ""), tag) for run in found]

    async def living_run(self, project: str, run_id: str) -> Run | None:
        """A finished run that nobody deleted."""
        try:
            run = await self._run(project, run_id)
        except TrackingError:
            # Whether it is not there or not to be seen is the same: nobody can take it.
            return None
        return run if run.info.status == "FINISHED" and run.info.lifecycle_stage == "active" else None

    async def training_record(self, project: str, run_id: str) -> TrainingRecord | None:
        """What a finished run was made from, or None where nobody can read that."""
        run = await self.living_run(project, run_id)
        if run is None:
            return None
        place = run.info.artifact_uri.removeprefix("mlflow-artifacts:").strip("/")
        try:
            return TrainingRecord.model_validate_json(
                await self._send(project, "GET", f"{_ARTIFACTS}/{place}/{RECORD_FILE}")
            )
        except (TrackingError, ValidationError):
            return None

    async def has_files(self, project: str, run_id: str, folder: str) -> bool:
        """Whether there is anything in a folder of a run."""
        query = {"run_id": run_id, "path": folder}
        return bool(FilePage.model_validate_json(await self._get(project, "artifacts/list", query)).files)

    async def version_of(self, project: str, model: str, run_id: str) -> Version | None:
        """The version of a model that a run made, if it is in the registry still; the newest, should there be more."""
        query = {"filter": f"run_id='{run_id}'", "max_results": str(_PAGE)}
        page = VersionPage.model_validate_json(await self._get(project, "model-versions/search", query))
        own = [each for each in page.model_versions if each.name == model and each.is_servable]
        return max(own, key=lambda version: version.number, default=None)

    async def page_of(self, public_url: str, project: str, run_id: str) -> str:
        """Address of a run's page for people."""
        run = await self._run(project, run_id)
        place = f"?workspace={quote(project)}" if self._workspaces else ""
        return f"{public_url.rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{run_id}{place}"

    async def set_alias(self, project: str, model: str, alias: str, version: str) -> None:
        """Points an alias to a version."""
        body = {"name": model, "alias": alias, "version": version}
        await self._write(project, "POST", "registered-models/alias", body)

    async def delete_alias(self, project: str, model: str, alias: str) -> None:
        """Removes an alias."""
        await self._write(project, "DELETE", "registered-models/alias", {"name": model, "alias": alias})

    async def _experiments(self, project: str) -> list[Experiment]:
        body: dict[str, object] = {"max_results": _RUNS_A_PAGE}
        found: list[Experiment] = []
        while True:
            data = await self._search(project, "experiments/search", body)
            page = ExperimentPage.model_validate_json(data)
            found += page.experiments
            if not page.next_page_token:
                return found
            body["page_token"] = page.next_page_token

    async def _search(self, project: str, path: str, body: Mapping[str, object]) -> bytes:
        """A question that is too long for an address; it changes nothing."""
        return await self._send(project, "POST", f"{_ROOT}/{path}", body=json.dumps(body).encode())

    async def _run(self, project: str, run_id: str) -> Run:
        data = await self._get(project, "runs/get", {"run_id": run_id})
        return RunAnswer.model_validate_json(data).run

    async def _get(self, project: str, path: str, query: Mapping[str, str]) -> bytes:
        return await self._send(project, "GET", f"{_ROOT}/{path}", query=query)

    async def _write(self, project: str, method: str, path: str, body: Mapping[str, str]) -> bytes:
        self._fence()
        return await self._send(project, method, f"{_ROOT}/{path}", body=json.dumps(body).encode())

    async def _send(
        self,
        project: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        headers = {"Content-Type": "application/json", **self._login()}
        if self._workspaces:
            headers[WORKSPACE_HEADER] = project
        url = f"{self._url}{path}"
        try:
            async with self._session.request(
                method, url, params=dict(query or {}), data=body, headers=headers
            ) as response:
                data = await response.read()
                if response.status < 300:  # noqa: PLR2004  the HTTP classes
                    return data
                text = data[:500].decode(errors="replace")
                if response.status == 429 or response.status >= 500:  # noqa: PLR2004  asks for patience
                    raise UnavailableError(f"MLflow answers {response.status}: {text}")
                raise TrackingError(f"MLflow refuses {method} {path}: {response.status}: {text}")
        except (TimeoutError, aiohttp.ClientError) as error:
            raise UnavailableError(f"MLflow does not answer at {self._url}: {error!r}") from error

    def _login(self) -> dict[str, str]:
        """Read anew each time: a rotated password is in the file at once."""
        names = (steps.MLFLOW_USERNAME, steps.MLFLOW_PASSWORD)
        files = [self._credentials / name for name in names]
        if not all(file.is_file() for file in files):
            return {}
        username, password = (file.read_text(encoding="utf-8").strip() for file in files)
        return {"Authorization": aiohttp.encode_basic_auth(username, password)}


def _earlier(run: Run, dataset: str, tag: str) -> Earlier:
    return Earlier(
        run_id=run.info.run_id,
        key=run.tag(tag),
        dataset=dataset,
        ended=run.info.end_time,
        packed=run.tag(labels.TAG_CACHE_INGREDIENTS),
        deleted=run.info.lifecycle_stage == "deleted",
    )
