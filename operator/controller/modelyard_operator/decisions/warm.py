"""Which steps are small enough for the warm loader, and what is seen of those that were handed to it.

A step in the warm loader's hands is looked at as if it had a Job and a pod: so everything that is decided about Jobs,
their answers and failures holds for it, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from modelyard_api import API_VERSION, labels
from modelyard_api.contract.outcome import parse_outcome
from modelyard_api.contract.steps import STEP_VARIABLE
from modelyard_api.contract.warm import WarmState, WarmStep
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus
from modelyard_operator.decisions.dataset_conditions import stalled
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.meta import Meta, ObjectCondition, OwnerReference
from modelyard_operator.objects.pods import (
    STEP_CONTAINER,
    Container,
    ContainerState,
    ContainerStatus,
    EnvVar,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplate,
    Terminated,
)
from modelyard_operator.objects.steps import Due, StepKind, Trigger
from modelyard_operator.objects.workloads import Job, JobSpec, JobStatus

WARM_POLL_SECONDS = 0.5
"""Pause between two looks at a step in the warm loader's hands."""
MOST_STEPS = 4
"""Steps at hand beyond which further ones are Jobs: side by side they are done sooner than in a row."""
MOST_BYTES = 900_000
"""Bytes of all steps at hand; a ConfigMap holds 1 MiB."""
FORGET_AFTER = timedelta(minutes=10)
"""When a step whose Dataset is not known is taken out; it may be that only the operator has just started."""


class WarmJob(Job):
    """A step in the warm loader's hands, as its Job would look."""


@dataclass(frozen=True)
class Entry:
    """A step that is handed over."""

    name: str
    handed: WarmStep
    state: WarmState | None = None
    """What the pod says of it; None where it has not begun it."""


@dataclass(frozen=True)
class Hands:
    """What the warm loader has of one Dataset."""

    present: tuple[Entry, ...] = ()
    """Of the present step."""
    outdated: tuple[Entry, ...] = ()
    """To be taken out."""


def is_small(spec: DatasetSpec, status: DatasetStatus, due: Due, attempt: int, max_rows: int) -> bool:
    """Whether a step may be handed to the warm loader; ``max_rows`` 0 lets none.

    First attempts only: what failed once is tried again in a pod of its own, with memory of its own. What a Dataset
    asks of its pods, the shared one cannot give, and it has no Secrets of sources. A failed load from another Dataset
    is known by its Job until that has a new version.
    """
    if max_rows <= 0 or attempt > 1 or due.kind is not StepKind.LOAD or _asks_for_own_pod(spec):
        return False
    rows = expected_rows(status, due)
    return rows is not None and rows <= max_rows


def expected_rows(status: DatasetStatus, due: Due) -> int | None:
    """Rows that a load has to go through; None where nothing tells how many."""
    load = status.load
    if load is None or load.source_rows is None:
        return None
    if due.refresh or due.trigger == Trigger.EDIT:
        # To find what is new, or what other columns hold, the whole source is read.
        return max(load.source_rows, load.rows)
    reached = (Decimal(due.percent) * load.source_rows / 100).to_integral_value(ROUND_CEILING)
    return max(int(reached) - load.rows, 0)


def sort_entries(
    dataset: DatasetObject, entries: Sequence[Entry], jobs: Sequence[Job], oldest: datetime
) -> Hands:
    """Entries of a Dataset that are its present step, and those that are to be taken out.

    ``jobs`` are the Jobs of the present step: one that has become a Job is taken out, and so is one whose failure is
    told. One that was handed over before ``oldest`` and is not begun is neither: it stays until it is a Job.
    """
    present, outdated = [], []
    for entry in entries:
        if jobs or not _is_asked_for(dataset, entry):
            outdated.append(entry)
        elif entry.state is not None or entry.handed.handed_at >= oldest:
            present.append(entry)
    return Hands(tuple(present), tuple(outdated))


def present_marks(dataset: DatasetObject) -> dict[str, str]:
    """Annotations of everything that carries out the present step of a Dataset."""
    return {labels.RECIPE: dataset.recipe, labels.STEP: str(dataset.status.steps + 1)}


def forgotten(handed: Mapping[str, WarmStep | None], known: frozenset[str], now: datetime) -> tuple[str, ...]:
    """Names of steps that nobody will take out: their Dataset is not there, or nothing can be read of them."""
    return tuple(
        name
        for name, step in handed.items()
        if step is None
        or (
            now - step.handed_at > FORGET_AFTER
            and (step.step.load is None or step.step.load.owner.uid not in known)
        )
    )


def as_job(entry: Entry, namespace: str) -> WarmJob:
    """The Job that the step would be."""
    state, load = entry.state, entry.handed.step.load
    owner = load.owner if load is not None else None
    document = entry.handed.step.model_dump_json(by_alias=True, exclude_none=True)
    container = Container(name=STEP_CONTAINER, env=[EnvVar(name=STEP_VARIABLE, value=document)])
    return WarmJob(
        metadata=Meta(
            name=entry.name,
            namespace=namespace,
            uid=_uid(entry),
            annotations=entry.handed.marks,
            owner_references=[
                OwnerReference(
                    api_version=API_VERSION, kind="Dataset", name=owner.name, uid=owner.uid, controller=True
                )
            ]
            if owner is not None
            else None,
        ),
        spec=JobSpec(template=PodTemplate(spec=PodSpec(containers=[container]))),
        status=JobStatus(
            start_time=state.begun_at if state else None, conditions=_conditions(state) if state else None
        ),
    )


def as_pod(entry: Entry, namespace: str) -> Pod | None:
    """The pod that the Job would have; None before it is begun."""
    state = entry.state
    if state is None:
        return None
    statuses = None
    if state.ended_at is not None:
        terminated = Terminated(exit_code=state.exit_code, message=state.message, finished_at=state.ended_at)
        statuses = [ContainerStatus(name=STEP_CONTAINER, state=ContainerState(terminated=terminated))]
    owner = OwnerReference(
        api_version="batch/v1", kind="Job", name=entry.name, uid=_uid(entry), controller=True
    )
    return Pod(
        metadata=Meta(
            name=entry.name,
            namespace=namespace,
            uid=f"{_uid(entry)}/pod",
            creation_timestamp=state.begun_at,
            owner_references=[owner],
        ),
        status=PodStatus(phase=_phase(state), container_statuses=statuses),
    )


def _asks_for_own_pod(spec: DatasetSpec) -> bool:
    return bool(
        spec.resources
        or spec.node_selector
        or spec.tolerations
        or spec.priority_class_name
        or spec.queue_name
        or spec.active_deadline_seconds
        or spec.source.secret
        or spec.source.dataset
    )


def _is_asked_for(dataset: DatasetObject, entry: Entry) -> bool:
    load, marks = entry.handed.step.load, entry.handed.marks
    if load is None or load.owner.uid != dataset.metadata.uid:
        return False
    if not present_marks(dataset).items() <= marks.items():
        return False
    status = dataset.status
    is_told = stalled(dataset) is not None and status.recipe == dataset.recipe
    return not (is_told and load.owner.attempt <= status.attempt)


def _uid(entry: Entry) -> str:
    return f"warm/{entry.name}/{entry.handed.handed_at.isoformat()}"


def _phase(state: WarmState) -> str:
    if state.ended_at is None:
        return "Running"
    return "Succeeded" if _is_well(state) else "Failed"


def _is_well(state: WarmState) -> bool:
    outcome = parse_outcome(state.message)
    return state.exit_code == 0 and outcome is not None and outcome.failure is None


def _conditions(state: WarmState) -> list[ObjectCondition] | None:
    if state.ended_at is None:
        return None
    type_ = "Complete" if _is_well(state) else "Failed"
    return [ObjectCondition(type=type_, status="True", last_transition_time=state.ended_at)]
