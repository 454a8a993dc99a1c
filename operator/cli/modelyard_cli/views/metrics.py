"""One line for each run: from the status of its TrainingJob, or from MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from modelyard_api.conditions import find_condition
from modelyard_cli.objects import TrainingJobSeen
from modelyard_cli.runs import ModelVersion, Run


@dataclass(frozen=True)
class Row:
    """A run; what is not known is empty."""

    job: str
    run: str
    state: str
    """Reason of the summary condition, or MLflow's word."""
    dataset: str
    data: str
    """Variant and load."""
    estimator: str
    metrics: Mapping[str, float]
    model: str
    """Registered model and version."""
    started: str
    """RFC 3339 in UTC."""

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return asdict(self)


def row_of_job(job: TrainingJobSeen) -> Row:
    """From the cluster alone."""
    status, ref = job.status, job.spec.get("datasetRef", {})
    succeeded = find_condition(status.conditions, "Succeeded")
    version = status.dataset_version
    model = status.model
    return Row(
        job=job.name,
        run=status.run.id if status.run is not None else "",
        state=succeeded.reason if succeeded is not None else "Pending",
        dataset=ref.get("name", ""),
        data=f"{version.variant} of load {version.sequence}"
        if version is not None
        else ref.get("variant", ""),
        estimator=_made_by(job.spec),
        metrics={item.name: float(item.value) for item in status.metrics},
        model=f"{model.name} {model.version}" if model is not None else "",
        started=status.start_time or job.metadata.creation_timestamp or "",
    )


def _made_by(spec: Mapping[str, Any]) -> str:
    """Class of a pipeline's estimator, or the image of own code."""
    own = spec.get("container", {}).get("image", "")
    return str(own or spec.get("pipeline", {}).get("estimator", {}).get("class", ""))


def row_of_run(run: Run, made: ModelVersion | None) -> Row:
    """From MLflow alone: a run, and the version of a model that it made."""
    return Row(
        job=run.title,
        run=run.id,
        state=run.status,
        dataset=run.parameters.get("dataset", ""),
        data=run.data,
        estimator=run.estimator,
        metrics=run.test_metrics(),
        model=f"{made.model} {made.number}" if made is not None else "",
        started=run.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
