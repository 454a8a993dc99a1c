"""The resync: what no event told of is found by listing everything, at a pace that no two processes share."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from typing import Any

from modelyard_api import labels
from modelyard_api.conditions import find_condition
from modelyard_operator.cluster.client import Cluster
from modelyard_operator.cluster.kinds import CHILDREN, DATASET, PARENTS, PROMOTION, TRAINING_JOB, Kind
from modelyard_operator.cluster.store import Key, Store
from modelyard_operator.errors import OperatorError
from modelyard_operator.handlers.queue import WorkQueue
from modelyard_operator.metrics import Metrics

_LOG = logging.getLogger(__name__)
_CHILDREN_QUERY = {"labelSelector": f"{labels.MANAGED_BY}={labels.MANAGER}"}


async def resync_for_ever(
    cluster: Cluster,
    store: Store,
    queue: WorkQueue,
    namespaces: list[str],
    seconds: float,
    listed: asyncio.Event,
) -> None:
    """Lists and queues everything, at once and then about every ``seconds``; ``listed`` is set after the first time.

    Nothing is to be decided before: what is only not known yet would be taken for gone, as a Dataset whose Job was seen.
    """
    while True:
        for namespace in namespaces:
            try:
                await resync(cluster, store, queue, namespace)
            except OperatorError as error:
                _LOG.warning("the resync of %s was left out: %s", namespace, error)
        listed.set()
        await asyncio.sleep(seconds * (0.8 + 0.4 * random.random()))  # noqa: S311  spreads load, hides nothing


async def resync(cluster: Cluster, store: Store, queue: WorkQueue, namespace: str) -> None:
    """Takes over what the API server lists now, then has every parent looked at."""
    for kind in CHILDREN:
        await _take_over(cluster, store, kind, namespace, _CHILDREN_QUERY)
    for kind in PARENTS:
        await _take_over(cluster, store, kind, namespace, {})
        for parent in store.all(kind, namespace):
            queue.add_late(Key(kind.name, namespace, parent.metadata.name))


async def _take_over(
    cluster: Cluster, store: Store, kind: Kind[Any], namespace: str, query: dict[str, str]
) -> None:
    before = store.all(kind, namespace)
    seen = [item async for item in cluster.list(kind, namespace, query)]
    store.replace(kind, namespace, before, seen)


async def watch_loop(metrics: Metrics, queue: WorkQueue, store: Store, seconds: float = 5.0) -> None:
    """Measures how late timers are, and counts what there is."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + seconds
        await asyncio.sleep(seconds)
        metrics.loop_lag_seconds.set(max(0.0, loop.time() - due))
        metrics.queue_depth.set(len(queue))
        count_objects(metrics, store)
        metrics.steps.show(store.all(DATASET))
        metrics.promotions.show(store.all(PROMOTION))


def count_objects(metrics: Metrics, store: Store) -> None:
    """Sets the gauge of objects by condition."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for kind in PARENTS:
        summary = "Succeeded" if kind is TRAINING_JOB else "Ready"
        for item in store.all(kind):
            condition = find_condition(item.status.conditions, summary)
            status = condition.status if condition else "Unknown"
            counts[(kind.name, summary, str(status), condition.reason if condition else "Pending")] += 1
    metrics.objects.clear()
    for place, count in counts.items():
        metrics.objects.labels(*place).set(count)
