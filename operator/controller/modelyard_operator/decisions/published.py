"""What the status of a Dataset says about its versions."""

from __future__ import annotations

from modelyard_api.conditions import find_condition
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.reasons import DatasetCondition
from modelyard_operator.objects.custom import DatasetObject


def is_published(dataset: DatasetObject) -> bool:
    """Whether every variant of the present spec exists."""
    ready = find_condition(dataset.status.conditions, DatasetCondition.READY)
    return (
        isinstance(dataset.spec, DatasetSpec)
        and dataset.status.recipe == dataset.recipe
        and ready is not None
        and ready.status == "True"
    )


def is_answered(dataset: DatasetObject) -> bool:
    """Whether the last load was made for the present spec, be it that rules kept a version from being published."""
    load = dataset.status.load
    return load is not None and load.sequence > 0 and load.recipe == dataset.recipe
