"""Objects as the cluster shows them, read so that a field of a newer version is no error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard_api.conditions import Condition, find_condition
from modelyard_api.v1alpha1 import DatasetStatus, ModelPromotionStatus, TrainingJobStatus
from modelyard_api.v1alpha1.common import ObjectMeta, ResourceStatus

Document = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """One object; the status is that of its kind."""

    metadata: ObjectMeta
    spec: Document

    @property
    def name(self) -> str:
        """Name within the namespace."""
        return self.metadata.name


@dataclass(frozen=True)
class DatasetSeen(Resource):
    """A Dataset."""

    status: DatasetStatus


@dataclass(frozen=True)
class TrainingJobSeen(Resource):
    """A TrainingJob."""

    status: TrainingJobStatus


@dataclass(frozen=True)
class PromotionSeen(Resource):
    """A ModelPromotion."""

    status: ModelPromotionStatus


Seen = DatasetSeen | TrainingJobSeen | PromotionSeen


def dataset_seen(document: Document) -> DatasetSeen:
    """Reads a Dataset."""
    return DatasetSeen(_meta(document), document["spec"], DatasetStatus.model_validate(_status(document)))


def training_job_seen(document: Document) -> TrainingJobSeen:
    """Reads a TrainingJob."""
    return TrainingJobSeen(
        _meta(document), document["spec"], TrainingJobStatus.model_validate(_status(document))
    )


def promotion_seen(document: Document) -> PromotionSeen:
    """Reads a ModelPromotion."""
    return PromotionSeen(
        _meta(document), document["spec"], ModelPromotionStatus.model_validate(_status(document))
    )


READERS: Mapping[str, Callable[[Document], Seen]] = {
    "Dataset": dataset_seen,
    "TrainingJob": training_job_seen,
    "ModelPromotion": promotion_seen,
}
SUMMARY = {"Dataset": "Ready", "TrainingJob": "Succeeded", "ModelPromotion": "Ready"}
"""The condition of each kind that says how it stands."""


def current(metadata: ObjectMeta, status: ResourceStatus, condition: str) -> Condition | None:
    """A condition, if it is about the present spec."""
    found = find_condition(status.conditions, condition)
    if found is None or (found.observed_generation or 0) < metadata.generation:
        return None
    return found


def _meta(document: Document) -> ObjectMeta:
    return ObjectMeta.model_validate(document["metadata"])


def _status(document: Document) -> Document:
    found: Document = document.get("status") or {}
    return found
