"""The run of a TrainingJob: found again by the job's uid, so that it is never made twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from modelyard_api.contract.steps import Owner
from modelyard_api.labels import RUN_TAG_ATTEMPT, RUN_TAG_JOB, RUN_TAG_UID, TAG_IMAGE
from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.errors import StepError
from modelyard_runtime.tracking import AccountRefusedError, MLflowClient, RefusedError
from modelyard_trainer.tracking.turn import SupersededError

TAG_FAILURE = "modelyard.dev/failure"

_TAG_LIMIT = 1000
_EXISTS = "RESOURCE_ALREADY_EXISTS"
_MISSING = "RESOURCE_DOES_NOT_EXIST"
_INVALID = "INVALID_PARAMETER_VALUE"
_REFUSED_BY_DATABASE = "BAD_REQUEST"
_TRIES_AT_INPUT = 4
_PARAMETERS_A_CALL = 100
_METRICS_A_CALL = 500
_VALUE_LIMIT = 6000

_log = logging.getLogger(__name__)


class RunStatus(StrEnum):
    """MLflow's words."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Run:
    """A run as it was last read."""

    id: str
    artifact_uri: str
    status: RunStatus | str
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetInput:
    """The data that a run was trained on."""

    name: str
    digest: str
    """At most 36 characters."""
    uri: str
    schema: Json
    rows: int


def read_run(client: MLflowClient, run_id: str) -> Run | None:
    """A run of the workspace by its id, whatever its experiment; None where there is none or it was deleted."""
    try:
        found = client.get("runs/get", {"run_id": run_id})["run"]
    except RefusedError as error:
        if error.code in {_MISSING, _INVALID}:
            return None
        raise
    except AccountRefusedError:
        # What MLflow answers for an id that it does not know; an account without any right fails here as well.
        client.post("experiments/search", {"max_results": 1})
        return None
    return None if found["info"].get("lifecycle_stage") == "deleted" else _run(found)


class Runs:
    """Runs of one experiment. ``check`` is called before every write and raises where it may not be made."""

    def __init__(
        self, client: MLflowClient, experiment: str, check: Callable[[], None] = lambda: None
    ) -> None:
        self._client = client
        self._experiment = experiment
        self._check = check

    def get(self, run_id: str) -> Run | None:
        """The run of this id; None where somebody removed it."""
        return read_run(self._client, run_id)

    def find(self, uid: str) -> Run | None:
        """The run of a job, if there is one: the oldest, should two pods make one each at the same time."""
        return next(iter(self._all(uid)), None)

    def find_finished(self, owner: Owner, ended: str | None, now: datetime) -> Run | None:
        """The run of an attempt that came to its end but not to its answer; ``ended`` is the one that it said it was."""
        if ended is None:
            found = self.find(owner.uid)
            return found if found is not None and found.status == RunStatus.FINISHED else None
        found = self.get(ended)
        if found is not None and found.status != RunStatus.FINISHED:
            self.end(ended, RunStatus.FINISHED, now)
        return found

    def begin(self, owner: Owner, now: datetime) -> Run:
        """The job's run, running: the one that is there, or a new one."""
        found = self.find(owner.uid)
        if found is not None:
            self._write("runs/update", {"run_id": found.id, "status": RunStatus.RUNNING})
            self.tag(found.id, {RUN_TAG_ATTEMPT: str(owner.attempt)})
            return found
        tags = {
            RUN_TAG_JOB: owner.name,
            RUN_TAG_UID: owner.uid,
            RUN_TAG_ATTEMPT: str(owner.attempt),
            TAG_IMAGE: owner.image,
            "mlflow.source.name": f"TrainingJob {owner.project}/{owner.name}",
            "mlflow.source.type": "JOB",
        }
        body = {
            "experiment_id": self._made_experiment_id(),
            "run_name": owner.name,
            "start_time": _milliseconds(now),
            "tags": _pairs(tags),
        }
        self._check()
        run = self._client.create(
            "runs/create", body, find=lambda: self.find(owner.uid), made=lambda answer: _run(answer["run"])
        )
        others = [other for other in self._all(owner.uid) if other.id != run.id]
        try:
            self._check()
        except SupersededError:
            if others:
                self._remove(run)
            raise
        for other in others:
            self._remove(other)
        return run

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Sets tags; a tag that is there takes the new value."""
        self._write("runs/log-batch", {"run_id": run_id, "tags": _pairs(tags)})

    def log_parameters(self, run_id: str, parameters: Mapping[str, str]) -> None:
        """Records parameters. The same value may be recorded again."""
        items = list(parameters.items())
        for start in range(0, len(items), _PARAMETERS_A_CALL):
            batch = dict(items[start : start + _PARAMETERS_A_CALL])
            self._write("runs/log-batch", {"run_id": run_id, "params": _pairs(batch)})

    def log_metrics(self, run_id: str, metrics: Mapping[str, float], now: datetime) -> None:
        """Records metrics; the last value counts."""
        points = [
            {"key": name, "value": value, "timestamp": _milliseconds(now), "step": 0}
            for name, value in metrics.items()
        ]
        for start in range(0, len(points), _METRICS_A_CALL):
            batch = points[start : start + _METRICS_A_CALL]
            self._write("runs/log-batch", {"run_id": run_id, "metrics": batch})

    def log_input(self, run_id: str, data: DatasetInput) -> None:
        """Records the data. MLflow keeps one input for the same name and digest."""
        dataset = {
            "name": data.name,
            "digest": data.digest,
            "source_type": "s3",
            "source": json.dumps({"uri": data.uri}),
            "schema": json.dumps(data.schema),
            "profile": json.dumps({"num_rows": data.rows}),
        }
        tags = [{"key": "mlflow.data.context", "value": "training"}]
        body: dict[str, Json] = {"run_id": run_id, "datasets": [{"tags": tags, "dataset": dataset}]}
        for left in reversed(range(_TRIES_AT_INPUT)):
            try:
                self._write("runs/log-inputs", body)
            except RefusedError as error:
                # MLflow looks for data before it inserts them: of runs that come at once, its database takes one.
                if error.code != _REFUSED_BY_DATABASE or not left:
                    raise
            else:
                return

    def log_file(self, run: Run, path: str, content: bytes) -> None:
        """Stores a file with the run."""
        self._check()
        self._client.upload(run.artifact_uri, path, content)

    def end(self, run_id: str, status: RunStatus, now: datetime) -> None:
        """Closes the run."""
        body = {"run_id": run_id, "status": status, "end_time": _milliseconds(now)}
        self._write("runs/update", body)

    def _write(self, path: str, body: Mapping[str, Json]) -> None:
        self._check()
        self._client.post(path, body)

    def _all(self, uid: str) -> list[Run]:
        """Runs of a job, the oldest first."""
        experiment = self._experiment_id()
        if experiment is None:
            return []
        query = {
            "experiment_ids": [experiment],
            "filter": f"tags.`{RUN_TAG_UID}` = '{uid}'",
            "order_by": ["attributes.start_time ASC"],
            "max_results": 100,
        }
        return [_run(found) for found in self._client.post("runs/search", query).get("runs", [])]

    def _remove(self, run: Run) -> None:
        """Removes a run that another stands for; the other pod may have done so."""
        with suppress(RefusedError):
            self._client.post("runs/delete", {"run_id": run.id})

    def fail(self, run_id: str, message: str, now: datetime) -> None:
        """Closes the run and leaves the reason with it; that MLflow cannot be told is no second failure."""
        try:
            self.tag(run_id, {TAG_FAILURE: message[:_TAG_LIMIT]})
            self.end(run_id, RunStatus.FAILED, now)
        except StepError as error:
            _log.warning("the failure could not be recorded: %s", error)

    def _experiment_id(self) -> str | None:
        try:
            found = self._client.get("experiments/get-by-name", {"experiment_name": self._experiment})
        except RefusedError as error:
            if error.code == _MISSING:
                return None
            raise
        return str(found["experiment"]["experiment_id"])

    def _made_experiment_id(self) -> str:
        found = self._experiment_id()
        if found is not None:
            return found
        try:
            return str(self._client.post("experiments/create", {"name": self._experiment})["experiment_id"])
        except RefusedError as error:
            made = self._experiment_id() if error.code == _EXISTS else None
            if made is None:
                raise
            return made


def _run(document: dict[str, Any]) -> Run:
    info, data = document["info"], document.get("data", {})
    return Run(
        id=info["run_id"],
        artifact_uri=info["artifact_uri"],
        status=info["status"],
        tags=dict(_unpaired(data.get("tags", []))),
        metrics={metric["key"]: float(metric["value"]) for metric in data.get("metrics", [])},
    )


def _unpaired(pairs: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        yield pair["key"], pair["value"]


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value[:_VALUE_LIMIT]} for key, value in values.items()]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
