"""The Dataset that another one is made from: which version of it is there, and whether the two go in a circle."""

from __future__ import annotations

from collections.abc import Callable

from modelyard_api.conditions import find_condition
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import ParentVersion
from modelyard_api.v1alpha1.reasons import DatasetCondition
from modelyard_api.v1alpha1.sources import DatasetSource
from modelyard_operator.decisions.data_version import Waiting
from modelyard_operator.decisions.published import is_published
from modelyard_operator.objects.custom import DatasetObject

_GOES_ON = "Loading goes on by itself once it is"


def parent_name(dataset: DatasetObject | None) -> str | None:
    """Name of the Dataset that is the source, where one is."""
    if dataset is None or not isinstance(dataset.spec, DatasetSpec):
        return None
    source = dataset.spec.source.dataset
    return source.name if source is not None else None


def find_parent(source: DatasetSource, parent: DatasetObject | None) -> ParentVersion | Waiting:
    """The latest version of the variant that is the source."""
    field, name = "spec.source.dataset", source.name
    if parent is None or parent.metadata.deletion_timestamp is not None:
        return Waiting(f"{field}.name: the Dataset {name} is not there. {_GOES_ON}")
    found = next((item for item in parent.status.variants if item.name == source.variant), None)
    if found is not None and is_published(parent):
        return ParentVersion(variant=found.name, digest=found.digest, uri=found.uri)
    if not is_published(parent):
        ready = find_condition(parent.status.conditions, DatasetCondition.READY)
        why = f" ({ready.reason}: {ready.message})" if ready else ""
        return Waiting(f"{field}.name: the Dataset {name} is not ready{why:.1000}. {_GOES_ON}")
    names = ", ".join(item.name for item in parent.status.variants)
    return Waiting(
        f"{field}.variant: the Dataset {name} has no variant {source.variant}, it has {names}. "
        "Add it there, then loading goes on by itself"
    )


def circle(dataset: DatasetObject, known: Callable[[str], DatasetObject | None]) -> str:
    """What is wrong where a Dataset is made from itself, by way of others or not; empty where it is well."""
    own = dataset.metadata.name
    path = [own]
    name = parent_name(dataset)
    while name is not None and name not in path:
        path.append(name)
        name = parent_name(known(name))
    if name != own:
        return ""
    return (
        f"spec.source.dataset.name = '{path[1] if len(path) > 1 else own}': the Datasets go in a circle: "
        f"{' from '.join([*path, own])}. Remove one of them and make it from something else"
    )
