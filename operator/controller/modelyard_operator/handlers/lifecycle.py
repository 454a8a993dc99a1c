"""The composition root: which parts there are, in which order they start, and what ends the process."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import socket
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from modelyard_operator.cluster.applying import AppliedMemory
from modelyard_operator.cluster.client import Cluster
from modelyard_operator.cluster.credentials import Credentials, load_credentials
from modelyard_operator.cluster.events import EventRecorder
from modelyard_operator.cluster.kinds import DATASET, PROMOTION, TRAINING_JOB
from modelyard_operator.cluster.lease import Leadership, LeaseTimes
from modelyard_operator.cluster.store import Store
from modelyard_operator.errors import OperatorError
from modelyard_operator.handlers.queue import WorkQueue
from modelyard_operator.handlers.resync import resync_for_ever, watch_loop
from modelyard_operator.handlers.watching import make_registry, run_kopf
from modelyard_operator.handlers.web import Health, serve
from modelyard_operator.handlers.workers import Reconcile, Worker
from modelyard_operator.metrics import Metrics
from modelyard_operator.reconcilers.context import Context
from modelyard_operator.reconcilers.dataset import reconcile_dataset
from modelyard_operator.reconcilers.promotion import reconcile_promotion
from modelyard_operator.reconcilers.training_job import reconcile_training_job
from modelyard_operator.serving.client import Servers
from modelyard_operator.serving.pages import Pages
from modelyard_operator.serving.prometheus import Prometheus
from modelyard_operator.serving.warm import WarmLoaders
from modelyard_operator.settings import Settings
from modelyard_operator.tracking.client import Tracking
from modelyard_operator.tracking.earlier import EarlierRuns

_LOG = logging.getLogger(__name__)
_KOPF_SECONDS = 1.0
"""How long kopf gets to close its watches."""


def configure_logging(level: str) -> None:
    """One line an event on standard error; kopf's own chatter only from warnings on."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("aiohttp").setLevel(logging.WARNING)


async def run_operator(settings: Settings) -> int:
    """Runs until a signal (0) or until a part cannot go on (1)."""
    credentials = load_credentials(settings.kubeconfig)
    identity = settings.identity or f"{socket.gethostname()}-{secrets.token_hex(4)}"
    times = LeaseTimes(settings.lease.duration, settings.lease.renew_deadline, settings.lease.retry)
    leadership = Leadership(settings.namespace, settings.lease.name, identity, times)
    machine = assemble(settings, credentials, leadership)
    _listen_to_signals(machine.stop)
    runner = await serve(settings.host, settings.port, machine.metrics, _health(machine))
    try:
        return await _run(machine)
    finally:
        await runner.cleanup()
        await _give_up_lease(leadership, machine.context.cluster)
        await machine.context.close()


@dataclass(frozen=True)
class Machine:
    """All parts, put together, not yet running."""

    settings: Settings
    credentials: Credentials
    leadership: Leadership
    context: Context
    queue: WorkQueue
    metrics: Metrics
    stop: asyncio.Event
    watching: asyncio.Event


def assemble(settings: Settings, credentials: Credentials, leadership: Leadership) -> Machine:
    """All parts, none of which does anything yet."""
    cluster, store, metrics = Cluster(credentials, leadership.check), Store(), Metrics()
    clock = partial(datetime.now, UTC)
    tracking = Tracking(
        settings.mlflow.url,
        settings.credentials_directory,
        leadership.check,
        workspaces=settings.mlflow.workspaces,
    )
    context = Context(
        settings=settings,
        cluster=cluster,
        store=store,
        applied=AppliedMemory(cluster, store),
        events=EventRecorder("modelyard-operator"),
        tracking=tracking,
        earlier=EarlierRuns(tracking),
        servers=Servers(settings.server_port),
        prometheus=Prometheus(settings.prometheus.url, settings.prometheus.timeout_seconds),
        pages=Pages(settings.progress_port, clock),
        warm_loaders=WarmLoaders(settings.progress_port, clock),
        step_metrics=metrics.steps,
        promotion_metrics=metrics.promotions,
        clock=clock,
    )
    metrics.leader.set_function(lambda: float(_is_well(leadership.check)))
    return Machine(
        settings, credentials, leadership, context, WorkQueue(), metrics, asyncio.Event(), asyncio.Event()
    )


def _health(machine: Machine) -> Health:
    def ready() -> str:
        well = machine.watching.is_set() and _is_well(machine.leadership.check)
        return "" if well else "not the leader yet"

    return Health(
        alive=partial(_silence, machine.leadership, machine.settings.write_grace_seconds), ready=ready
    )


async def _run(machine: Machine) -> int:
    """The Lease first, then everything else, until the first part ends."""
    kopf_stop = asyncio.Event()
    keeping = asyncio.create_task(machine.leadership.keep(machine.context.cluster), name="lease")
    parts: list[asyncio.Task[Any]] = [keeping]
    stopping = asyncio.create_task(machine.stop.wait(), name="stop")
    acquired = asyncio.create_task(machine.leadership.acquired(), name="acquired")
    try:
        await asyncio.wait({acquired, stopping, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if acquired.done():
            parts += _start(machine, kopf_stop)
            await asyncio.wait({stopping, *parts}, return_when=asyncio.FIRST_COMPLETED)
        return _judge(parts)
    finally:
        kopf_stop.set()
        await _end([stopping, acquired, *parts])


def _start(machine: Machine, kopf_stop: asyncio.Event) -> list[asyncio.Task[Any]]:
    settings, context, queue = machine.settings, machine.context, machine.queue
    registry = make_registry(context.store, queue, machine.credentials)
    listed = asyncio.Event()
    worker = Worker(queue, _reconciles(context), machine.metrics, listed)
    parts: dict[str, Coroutine[Any, Any, None]] = {
        "kopf": run_kopf(registry, settings.projects, kopf_stop, machine.watching),
        "resync": resync_for_ever(
            context.cluster, context.store, queue, settings.projects, settings.resync_seconds, listed
        ),
        "loop": watch_loop(machine.metrics, queue, context.store),
        "signals": _take_signals_back(machine.watching, machine.stop),
        "events": context.events.write(context.cluster),
        **{f"worker {number}": worker.run() for number in range(settings.workers)},
    }
    _LOG.info("serving %s", ", ".join(settings.projects))
    return [asyncio.create_task(part, name=name) for name, part in parts.items()]


def _listen_to_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _take_signals_back(watching: asyncio.Event, stop: asyncio.Event) -> None:
    """Kopf takes the signals over when it starts; alone it would wait five seconds for our tasks to end."""
    await watching.wait()
    _listen_to_signals(stop)
    await stop.wait()


def _reconciles(context: Context) -> Mapping[str, Reconcile]:
    return {
        DATASET.name: partial(reconcile_dataset, context),
        TRAINING_JOB.name: partial(reconcile_training_job, context),
        PROMOTION.name: partial(reconcile_promotion, context),
    }


def _judge(parts: list[asyncio.Task[Any]]) -> int:
    """1 where a part failed. kopf takes the signals over, so that its quiet end is the answer to one."""
    failed = 0
    for part in parts:
        error = part.exception() if part.done() and not part.cancelled() else None
        if error is not None:
            failed = 1
            _LOG.error("the part %s ended: %r", part.get_name(), error)
    return failed


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    kopf_task = next((task for task in tasks if task.get_name() == "kopf"), None)
    if kopf_task is not None:
        await asyncio.wait({kopf_task}, timeout=_KOPF_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _give_up_lease(leadership: Leadership, cluster: Cluster) -> None:
    try:
        await asyncio.wait_for(leadership.release(cluster), 5)
    except (OperatorError, TimeoutError) as error:
        _LOG.info("the Lease runs out by itself: %s", error)


def _is_well(check: object) -> bool:
    try:
        check()  # type: ignore[operator]
    except OperatorError:
        return False
    return True


def _silence(leadership: Leadership, limit: float) -> str:
    silent = leadership.silence
    return f"the API server has not answered for {silent:.0f} s" if silent > limit else ""
