"""Which step of a Dataset is due now, from its spec, its status and its annotations."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from modelyard_api import labels
from modelyard_api.contract.steps import STEP_VARIABLE, Step
from modelyard_api.schedule import next_time
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus, LoadStatus, ParentVersion
from modelyard_operator.decisions.data_version import Waiting
from modelyard_operator.decisions.published import is_answered
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.steps import Due, StepKind, Trigger
from modelyard_operator.objects.workloads import Job

_TOKEN_LENGTH = 63

Parent = ParentVersion | Waiting | None
"""Version of the Dataset that is the source; None where the source is something else."""


@dataclass(frozen=True)
class Mark:
    """What a step beside the load was last made for: recipe, sequence, and the request that asked for it."""

    made_for: str = ""
    request: str = ""

    @classmethod
    def read(cls, text: str | None) -> Mark:
        """From the status."""
        recipe, _, rest = (text or "").partition("/")
        sequence, _, request = rest.partition("/")
        return cls(f"{recipe}/{sequence}" if sequence else "", request)

    def write(self) -> str:
        """For the status."""
        return f"{self.made_for or '/'}/{self.request}"


def made_for(dataset: DatasetObject, sequence: int) -> str:
    """Recipe and sequence as a ``Mark`` has them."""
    return f"{dataset.recipe[:16]}/{sequence}"


def token(annotations: Mapping[str, str], key: str) -> str:
    """Value of an annotation, or its hash where it is long; empty if it is not set."""
    value = annotations.get(key, "")
    return value if len(value) <= _TOKEN_LENGTH else hashlib.sha256(value.encode()).hexdigest()[:32]


def pending_load(dataset: DatasetObject) -> str:
    """The request for a load that was not acted on yet."""
    asked = token(dataset.metadata.annotations, labels.LOAD_NOW)
    load = dataset.status.load
    return asked if asked != (load.handled_request if load else None) else ""


def settled(dataset: DatasetObject, spec: DatasetSpec, parent: Parent) -> DatasetStatus:
    """The status with those requests acted on for which nothing is to be done."""
    status, load = dataset.status, dataset.status.load
    if load is None or not is_answered(dataset):
        return status
    request = pending_load(dataset)
    if request and load_complete(spec, load) and not _may_have_news(spec, load, parent):
        status = status.model_copy(update={"load": load.model_copy(update={"handled_request": request})})
    swept = Mark.read(status.swept)
    asked = token(dataset.metadata.annotations, labels.SWEEP_NOW)
    if spec.retention is None and asked and asked != swept.request:
        status = status.model_copy(update={"swept": Mark(swept.made_for, asked).write()})
    return status


def next_due(dataset: DatasetObject, spec: DatasetSpec, parent: Parent, now: datetime) -> Due | None:
    """The step that is due, one at a time; None where nothing is."""
    load = dataset.status.load
    if load is None or load.sequence == 0:
        return Due(
            StepKind.LOAD,
            1,
            spec.load.percent_after(None),
            trigger=Trigger.INITIAL,
            request=pending_load(dataset),
            parent=parent if isinstance(parent, ParentVersion) else None,
        )
    if not is_answered(dataset):
        percent = load.percent or spec.load.target_percent
        return Due(StepKind.LOAD, load.sequence, percent, trigger=Trigger.EDIT, parent=load.parent)
    return (
        _rebuild(dataset, load)
        or _asked_load(dataset, spec, load, parent)
        or _verify(dataset, spec, load)
        or _sweep(dataset, spec, load)
        or _timely_load(spec, load, parent, now)
    )


def next_load_time(spec: DatasetSpec, load: LoadStatus) -> datetime | None:
    """When the next load comes by itself; None where none does."""
    if spec.suspend or load.last_time is None:
        return None
    grows = spec.source.grows and spec.source.dataset is None
    if load_complete(spec, load) and not grows:
        return None
    return next_time(spec.load, load.last_time)


def load_complete(spec: DatasetSpec, load: LoadStatus) -> bool:
    """Whether as much is loaded as is asked for."""
    return load.percent is None or spec.load.is_complete(load.percent)


def due_of(job: Job) -> Due | None:
    """The step that a Job carries out; None where it cannot be read."""
    text = job.variable(STEP_VARIABLE)
    try:
        step = Step.model_validate_json(text) if text else None
    except ValueError:
        return None
    if step is None or step.chosen not in list(StepKind):
        return None
    request = job.metadata.annotation(labels.REQUEST) or ""
    if step.load is None:
        sequence = step.verify.sequence if step.verify else 0
        return Due(StepKind(step.chosen), sequence, request=request)
    given = step.load
    parent = given.parent
    return Due(
        StepKind.LOAD,
        given.sequence,
        given.percent,
        refresh=given.refresh,
        trigger=given.trigger,
        request=request,
        parent=ParentVersion(variant=parent.variant, digest=parent.digest, uri=parent.uri)
        if parent
        else None,
    )


def _further(
    spec: DatasetSpec, load: LoadStatus, parent: Parent, trigger: Trigger, request: str = ""
) -> Due | None:
    """The next load, or the next look at the source. The rows of one look are all of one parent's version."""
    sequence = load.sequence + 1
    if not load_complete(spec, load):
        percent = spec.load.percent_after(load.percent)
        return Due(StepKind.LOAD, sequence, percent, trigger=trigger, request=request, parent=load.parent)
    if not _may_have_news(spec, load, parent):
        return None
    return Due(
        StepKind.LOAD,
        sequence,
        spec.load.target_percent,
        refresh=True,
        trigger=trigger,
        request=request,
        parent=parent if isinstance(parent, ParentVersion) else None,
    )


def _may_have_news(spec: DatasetSpec, load: LoadStatus, parent: Parent) -> bool:
    if spec.source.dataset is None:
        return spec.source.grows
    return isinstance(parent, ParentVersion) and (
        load.parent is None or load.parent.digest != parent.digest or load.parent.variant != parent.variant
    )


def _rebuild(dataset: DatasetObject, load: LoadStatus) -> Due | None:
    asked = token(dataset.metadata.annotations, labels.REBUILD_NOW)
    if not asked or asked == dataset.status.rebuilt:
        return None
    return Due(StepKind.REBUILD, load.sequence, request=asked)


def _asked_load(dataset: DatasetObject, spec: DatasetSpec, load: LoadStatus, parent: Parent) -> Due | None:
    request = pending_load(dataset)
    return _further(spec, load, parent, Trigger.REQUEST, request) if request else None


def _verify(dataset: DatasetObject, spec: DatasetSpec, load: LoadStatus) -> Due | None:
    last = Mark.read(dataset.status.verified)
    asked = token(dataset.metadata.annotations, labels.VERIFY_NOW)
    request = asked if asked != last.request else ""
    wanted = spec.verify is not None and last.made_for != made_for(dataset, load.sequence)
    if not (request or wanted) or not any(item.sequence == load.sequence for item in dataset.status.variants):
        return None
    return Due(StepKind.VERIFY, load.sequence, request=request)


def _sweep(dataset: DatasetObject, spec: DatasetSpec, load: LoadStatus) -> Due | None:
    if spec.retention is None:
        return None
    last = Mark.read(dataset.status.swept)
    asked = token(dataset.metadata.annotations, labels.SWEEP_NOW)
    request = asked if asked != last.request else ""
    wanted = last.made_for != made_for(dataset, load.sequence)
    if not (request or wanted):
        return None
    return Due(StepKind.SWEEP, load.sequence, request=request)


def _timely_load(spec: DatasetSpec, load: LoadStatus, parent: Parent, now: datetime) -> Due | None:
    if spec.source.dataset is not None and load_complete(spec, load):
        return _further(spec, load, parent, Trigger.SOURCE)
    due = next_load_time(spec, load)
    if due is None or due > now:
        return None
    by_interval = spec.load.interval_seconds is not None
    return _further(spec, load, parent, Trigger.INTERVAL if by_interval else Trigger.SCHEDULE)
