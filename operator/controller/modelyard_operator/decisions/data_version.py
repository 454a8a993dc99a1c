"""Which version of a Dataset a TrainingJob trains on."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api.conditions import find_condition
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import VariantStatus
from modelyard_api.v1alpha1.reasons import DatasetCondition
from modelyard_api.v1alpha1.training_job import DatasetRef, DatasetVersion
from modelyard_operator.decisions.dataset import is_published
from modelyard_operator.objects.custom import DatasetObject

_GOES_ON = "The TrainingJob goes on by itself once it is"


@dataclass(frozen=True)
class Waiting:
    """The data are not there yet."""

    message: str


@dataclass(frozen=True)
class Mismatch:
    """The data are there, and are not those that the spec pins."""

    message: str


def find_version(ref: DatasetRef, dataset: DatasetObject | None) -> DatasetVersion | Waiting | Mismatch:
    """The latest version of the variant, which must be the pinned one if one is pinned."""
    if dataset is None or dataset.metadata.deletion_timestamp is not None:
        return Waiting(f"spec.datasetRef.name: the Dataset {ref.name} is not there. {_GOES_ON}")
    found = next((item for item in dataset.status.variants if item.name == ref.variant), None)
    if found is not None and ref.digest == found.digest:
        return _version(found)
    if not is_published(dataset):
        ready = find_condition(dataset.status.conditions, DatasetCondition.READY)
        why = f" ({ready.reason}: {ready.message})" if ready else ""
        return Waiting(f"spec.datasetRef.name: the Dataset {ref.name} is not ready{why:.1000}. {_GOES_ON}")
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
    if ref.digest is not None:
        return Mismatch(
            f"spec.datasetRef.digest: {ref.variant} of {ref.name} is {found.digest}, pinned is {ref.digest}. "
            "Pin that one, or leave digest out to take the latest"
        )
    return _version(found)


def _version(found: VariantStatus) -> DatasetVersion:
    return DatasetVersion(variant=found.name, sequence=found.sequence, digest=found.digest, uri=found.uri)
