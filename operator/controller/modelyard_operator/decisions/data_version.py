"""Which version of a Dataset a TrainingJob trains on."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api.conditions import find_condition
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import VariantStatus
from modelyard_api.v1alpha1.reasons import DatasetCondition
from modelyard_api.v1alpha1.training_job import DatasetRef, DatasetVersion
from modelyard_operator.decisions.published import is_published
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.steps import Pinned

_GOES_ON = "The TrainingJob goes on by itself once it is"


@dataclass(frozen=True)
class Waiting:
    """The data are not there yet."""

    message: str


def find_version(ref: DatasetRef, dataset: DatasetObject | None) -> DatasetVersion | Waiting | Pinned:
    """The latest version of the variant, or that which the reference pins."""
    if dataset is None or dataset.metadata.deletion_timestamp is not None:
        return Waiting(f"spec.datasetRef.name: the Dataset {ref.name} is not there. {_GOES_ON}")
    found = next((item for item in dataset.status.variants if item.name == ref.variant), None)
    if ref.digest is not None or ref.sequence is not None or ref.as_of is not None:
        return _pinned(ref, dataset, found)
    if not is_published(dataset):
        return _unpublished(ref, dataset)
    if found is None:
        names = (
            ", ".join(item.name for item in dataset.spec.variants)
            if isinstance(dataset.spec, DatasetSpec)
            else ""
        )
        return Waiting(
            f"spec.datasetRef.variant: the Dataset {ref.name} has no variant {ref.variant}, it has {names}. "
            "Add it there, then the TrainingJob goes on by itself"
        )
    return _version(found)


def _pinned(
    ref: DatasetRef, dataset: DatasetObject, found: VariantStatus | None
) -> DatasetVersion | Waiting | Pinned:
    load = dataset.status.load
    if load is None or load.sequence == 0:
        return _unpublished(ref, dataset)
    if ref.sequence is not None and ref.sequence > load.sequence:
        return Waiting(
            f"spec.datasetRef.sequence = {ref.sequence}: the last load of the Dataset {ref.name} is "
            f"{load.sequence}. The TrainingJob goes on by itself once there is such a load"
        )
    if found is not None and ref.as_of is None:
        same_values = ref.digest is None or ref.digest == found.digest
        same_load = ref.sequence is None or ref.sequence == found.sequence
        if same_values and same_load:
            return _version(found)
    return Pinned(dataset.metadata.uid)


def _unpublished(ref: DatasetRef, dataset: DatasetObject) -> Waiting:
    ready = find_condition(dataset.status.conditions, DatasetCondition.READY)
    why = f" ({ready.reason}: {ready.message})" if ready else ""
    return Waiting(f"spec.datasetRef.name: the Dataset {ref.name} is not ready{why:.1000}. {_GOES_ON}")


def _version(found: VariantStatus) -> DatasetVersion:
    return DatasetVersion(
        variant=found.name, sequence=found.sequence, digest=found.digest, uri=found.uri, split=found.split
    )
