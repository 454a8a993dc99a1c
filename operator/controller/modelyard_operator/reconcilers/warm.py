"""Small steps of Datasets go to the warm loader of their project, as one key each of a ConfigMap that it sees as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError

from modelyard_api import labels
from modelyard_api.contract.warm import STEPS_MAP, WarmPage, WarmStep
from modelyard_operator.cluster.kinds import CONFIG_MAP, DATASET, POD
from modelyard_operator.cluster.store import Key
from modelyard_operator.decisions.warm import (
    MOST_BYTES,
    MOST_STEPS,
    Entry,
    WarmJob,
    as_job,
    as_pod,
    forgotten,
    sort_entries,
)
from modelyard_operator.errors import InvalidError, NotFoundError
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.steps import Page
from modelyard_operator.objects.workloads import ConfigMap, Job
from modelyard_operator.reconcilers.context import Context
from modelyard_operator.resources.step_job import StepJob, build_step_job


@dataclass(frozen=True)
class InHands:
    """What the warm loader has of a Dataset, as Jobs and pods would look."""

    jobs: tuple[WarmJob, ...] = ()
    pods: tuple[Pod, ...] = ()
    outdated: tuple[WarmJob, ...] = ()
    page: Page | None = None
    """How far the present step is."""


async def gather_warm(context: Context, key: Key, dataset: DatasetObject, jobs: tuple[Job, ...]) -> InHands:
    """What was handed over for a Dataset; ``jobs`` are the Jobs of its present step."""
    handed = _of_dataset(context, key)
    if not handed:
        return InHands()
    page = await _page(context, key.namespace)
    entries = [_entry(name, step, page) for name, step in handed.items()]
    now = context.clock()
    oldest = now - timedelta(seconds=context.settings.warm.begin_seconds)
    hands = sort_entries(dataset, entries, jobs, oldest)
    pods = (as_pod(entry, key.namespace) for entry in hands.present)
    said = next((item.state.progress for item in hands.present if item.state and item.state.progress), None)
    return InHands(
        jobs=tuple(as_job(entry, key.namespace) for entry in hands.present),
        pods=tuple(pod for pod in pods if pod is not None),
        outdated=tuple(as_job(entry, key.namespace) for entry in hands.outdated),
        page=Page(said, now) if said is not None else None,
    )


async def hand_over(context: Context, wanted: StepJob) -> bool:
    """Hands a step over; False where it is to be a Job: no pod is waiting, too much is at hand, or it came to nothing."""
    namespace = wanted.parent.namespace
    seen = context.store.get(CONFIG_MAP, namespace, STEPS_MAP)
    job = build_step_job(wanted, context.job_defaults)
    name = job.metadata.name
    if seen is None:
        # Just started: what was handed over before is not known yet.
        seen = await context.cluster.get(CONFIG_MAP, namespace, STEPS_MAP)
        if seen is None:
            return False
        context.store.put(CONFIG_MAP, seen)
        if name in _data(seen):
            return True
    pod = _pod(context, namespace)
    if pod is None or not pod.is_ready:
        return False
    now = context.clock()
    known = frozenset(item.metadata.uid for item in context.store.all(DATASET, namespace))
    dropped = forgotten({key: _read(text) for key, text in _data(seen).items()}, known, now)
    await take_out(context, namespace, dropped)
    kept = {key: text for key, text in _data(seen).items() if key not in dropped}
    step = WarmStep(step=wanted.step, marks=job.metadata.annotations or {}, handed_at=now)
    document = step.model_dump_json(by_alias=True, exclude_none=True)
    size = len(document.encode()) + sum(len(text.encode()) for text in kept.values())
    if name in kept or len(kept) >= MOST_STEPS or size > MOST_BYTES:
        return False
    try:
        await _change(context, namespace, {name: document})
    except InvalidError:
        return False
    await _touch(context, pod, name)
    return True


async def take_out(context: Context, namespace: str, names: Iterable[str]) -> None:
    """Takes steps out; the pod stops those that are at work. A map that is gone holds nothing."""
    gone: dict[str, str | None] = dict.fromkeys(names)
    if gone:
        await _change(context, namespace, gone)


async def take_all_out(context: Context, key: Key) -> None:
    """Takes out what is there of a Dataset that is gone.

    Whether it is, the API server is asked: just after a start, a Job may be known before its Dataset is.
    """
    handed = _of_dataset(context, key)
    if not handed:
        return
    live = await context.cluster.get(DATASET, key.namespace, key.name)
    if live is None or live.metadata.deletion_timestamp is not None:
        await take_out(context, key.namespace, handed)


async def _change(context: Context, namespace: str, data: Mapping[str, str | None]) -> None:
    """Sets and removes keys; those of others stay as they are."""
    try:
        changed = await context.cluster.patch(CONFIG_MAP, namespace, STEPS_MAP, {"data": data})
    except NotFoundError:
        context.store.remove(CONFIG_MAP, namespace, STEPS_MAP, None)
        return
    context.store.put(CONFIG_MAP, changed)


async def _touch(context: Context, pod: Pod, name: str) -> None:
    """A change of a pod makes its kubelet refresh its files within a second instead of within a minute."""
    namespace = pod.metadata.namespace or ""
    change = {"metadata": {"annotations": {labels.HANDED_STEP: name}}}
    try:
        context.store.put(POD, await context.cluster.patch(POD, namespace, pod.metadata.name, change))
    except NotFoundError:
        context.store.remove(POD, namespace, pod.metadata.name, pod.metadata.uid)


async def _page(context: Context, namespace: str) -> WarmPage:
    pod = _pod(context, namespace) or await _live_pod(context, namespace)
    if pod is None:
        return WarmPage()
    return await context.warm_loaders.look(pod.metadata.uid or "", pod.status.pod_ip or "")


def _pod(context: Context, namespace: str) -> Pod | None:
    """The warm loader, where small steps are handed over at all."""
    if context.settings.warm.max_rows <= 0:
        return None
    return _newest(context.store.all(POD, namespace))


async def _live_pod(context: Context, namespace: str) -> Pod | None:
    """The warm loader, where steps are in its hands and no event has told of it yet: just after a start."""
    query = {"labelSelector": labels.WARM_LOADER}
    return _newest([pod async for pod in context.cluster.list(POD, namespace, query)])


def _newest(pods: Iterable[Pod]) -> Pod | None:
    able = [
        pod
        for pod in pods
        if pod.metadata.label(labels.WARM_LOADER)
        and pod.metadata.deletion_timestamp is None
        and pod.status.phase == "Running"
        and pod.status.pod_ip
    ]
    return max(able, key=lambda pod: str(pod.metadata.creation_timestamp), default=None)


def _of_dataset(context: Context, key: Key) -> dict[str, WarmStep]:
    """Steps of a Dataset by name; names begin with that of their Dataset, which spares reading those of others."""
    found = context.store.get(CONFIG_MAP, key.namespace, STEPS_MAP)
    steps = {
        name: _read(text)
        for name, text in _data(found).items()
        if name.startswith(key.name[: labels.NAME_LIMIT])
    }
    return {
        name: step
        for name, step in steps.items()
        if step is not None and step.step.load is not None and step.step.load.owner.name == key.name
    }


def _data(found: ConfigMap | None) -> dict[str, str]:
    return (found.data or {}) if found is not None else {}


def _read(text: str) -> WarmStep | None:
    try:
        return WarmStep.model_validate_json(text)
    except ValidationError:
        return None


def _entry(name: str, step: WarmStep, page: WarmPage) -> Entry:
    state = page.steps.get(name)
    return Entry(name, step, state if state is not None and state.handed_at == step.handed_at else None)
