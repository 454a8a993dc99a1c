"""Runs and versions of models as MLflow has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from modelyard_api import labels
from modelyard_api.contract.training_record import TrainingRecord
from modelyard_api.metrics import METRICS, Task, default_primary


@dataclass(frozen=True)
class Run:
    """A run of a TrainingJob."""

    id: str
    name: str
    status: str
    started: datetime
    artifact_uri: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The job's name, else the beginning of the id."""
        return self.tags.get(labels.RUN_TAG_JOB) or self.name or self.id[:8]

    @property
    def task(self) -> Task | None:
        """What its model predicts."""
        word = self.parameters.get("task")
        return Task(word) if word in set(Task) else None

    @property
    def data(self) -> str:
        """The version that it was trained on, for people."""
        sequence = self.parameters.get("sequence", "")
        return f"{self.parameters.get('variant', '?')} of load {sequence}" if sequence else "?"

    @property
    def digest(self) -> str:
        """Content digest of its data."""
        return self.tags.get(labels.TAG_DATASET_DIGEST, "")

    @property
    def estimator(self) -> str:
        """Class of its estimator, or the image of the user's own code without its registry."""
        image = self.parameters.get("container.image", "?").rsplit("/", 1)[-1]
        return self.parameters.get("estimator.class", image)

    def primary(self) -> str | None:
        """The metric that runs of its task are compared by where nobody names one."""
        return default_primary(self.task) if self.task is not None else None

    def test_metrics(self) -> dict[str, float]:
        """Metrics of the test part, without what stands beside them."""
        return {name: value for name, value in self.metrics.items() if name in METRICS}


@dataclass(frozen=True)
class ModelVersion:
    """A version in the registry."""

    model: str
    number: int
    alias: str
    """Stage that it is in charge of; empty for most."""
    run_id: str
    job: str
    dataset_digest: str
    made: datetime

    def document(self) -> dict[str, object]:
        """For programs."""
        return {**asdict(self), "made": self.made.isoformat()}


def libraries_of(record: bytes | None, requirements: bytes | None) -> dict[str, str]:
    """Library → version: every installed one by ``training.json``, else those of the model's requirements."""
    if record is not None:
        return {item.name: item.version for item in TrainingRecord.model_validate_json(record).libraries}
    lines = requirements.decode().splitlines() if requirements else []
    pairs = (line.partition("==") for line in lines if "==" in line)
    return {name.strip(): version.strip() for name, _, version in pairs}
