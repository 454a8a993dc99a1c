"""Puts the server together from its settings."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from modelyard_api.contract.exit_codes import ExitCode
from modelyard_api.contract.monitoring import feedback_prefix, predictions_prefix
from modelyard_api.contract.steps import SERVER_VARIABLE, ServerSettings
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import StepError
from modelyard_runtime.logs import configure_logs
from modelyard_runtime.s3 import ObjectStore
from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.keys import Keyring
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.bringing import S3_PATIENCE
from modelyard_server.models.memory import give_back_what_is_large
from modelyard_server.models.rehearsal import Rehearsals
from modelyard_server.models.turns import Turns
from modelyard_server.monitoring.logbook import Place as LogPlace
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.monitor import Monitor
from modelyard_server.monitoring.retention import Retention
from modelyard_server.processes.siblings import Alone, Own, Siblings
from modelyard_server.processes.supervisor import Place, Supervisor
from modelyard_server.routing import RouteKeeper
from modelyard_server.state import ServerState
from modelyard_server.web.admin import make_admin
from modelyard_server.web.application import Application, Parts
from modelyard_server.web.guarding import Guard, KeyMetrics
from modelyard_server.web.lifecycle import Listening, make_server
from modelyard_server.web.protocol import WireLimits

_MOST_THREADS = 4
"""The cores of the node say little about those of the pod."""
_log = logging.getLogger(__name__)

Beside = AbstractAsyncContextManager[None]
"""What runs for as long as the HTTP server does."""


def run(environment: Mapping[str, str]) -> int:
    """Serves until a signal; returns the exit status."""
    try:
        settings = ServerSettings.model_validate_json(environment.get(SERVER_VARIABLE, ""))
    except ValidationError as error:
        configure_logs(sys.stderr)
        _log.error("%s cannot be used: %s", SERVER_VARIABLE, error)
        return ExitCode.INVALID_SPEC
    configure_logs(sys.stderr, settings.log_level)
    give_back_what_is_large()
    if settings.processes == 1:
        return serve(settings, environment)
    supervisor = Supervisor(
        settings.processes, settings.port, lambda place: serve(settings, environment, place)
    )
    return supervisor.run()


def serve(settings: ServerSettings, environment: Mapping[str, str], place: Place | None = None) -> int:
    """One process of the server, the only one where it has no place among others."""
    try:
        store = ObjectStore(settings.s3, Credentials.mounted(environment).s3(), S3_PATIENCE)
    except StepError as error:
        _log.error("%s", error)
        return ExitCode.PLATFORM
    state, metrics = ServerState(), ServerMetrics()
    monitoring = MonitoringMetrics(metrics.registry)
    monitor = make_monitor(settings, store, monitoring)
    loads = Rehearsals(store, settings, Turns.of(settings.promotion, settings.port), environment)
    keeper = RouteKeeper(Path(settings.route_path), loads.load, state, metrics, monitor)
    siblings: Alone = Alone()
    # One process of a pod is enough for it.
    beside = _retention(settings, store, monitoring) if place is None or place.number == 0 else []
    if place is not None:
        among = Siblings(place, Own(metrics.registry, lambda: state.ready, state.route_state))
        among.resume()
        for name, count in place.ended.items():
            metrics.ended.labels(name).set(count)
        siblings = among
        beside.append(among.telling())
    parts = Parts(
        state=state,
        metrics=metrics,
        admission=Admission(_admission(settings), metrics),
        max_body_bytes=settings.max_body_bytes,
        keep_route=partial(_keep, keeper, beside),
        admin=make_admin(state, takes_labels=monitor.logs),
        siblings=siblings,
        monitor=monitor,
    )
    application = Application(parts)
    guard = _guard(application, settings, metrics)
    if settings.grpc_port is not None:
        # Imported here: a server without it does without what its libraries take.
        from modelyard_server.grpc_service.service import InferenceService  # noqa: PLC0415

        service = InferenceService(application, parts, guard)
        beside.append(service.listening(settings.grpc_port, settings.max_body_bytes))
    wire = WireLimits(message_seconds=settings.request_seconds)
    server = make_server(guard or application, state, Listening(settings.port, settings.drain_seconds, wire))
    server.run(None if place is None else [place.listener])
    return ExitCode.OK


async def _keep(keeper: RouteKeeper, beside: Sequence[Beside]) -> None:
    """Keeps the route, and runs what stands beside the HTTP server for as long."""
    async with AsyncExitStack() as running:
        for each in beside:
            await running.enter_async_context(each)
        await keeper.run()


def make_monitor(settings: ServerSettings, store: ObjectStore, metrics: MonitoringMetrics) -> Monitor:
    """What looks at the answers; files of the prediction log carry the pod's name."""
    place = LogPlace(store.endpoint.prefix, settings.promotion, socket.gethostname())
    return Monitor(settings.monitoring, place, store.create, metrics)


def _retention(settings: ServerSettings, store: ObjectStore, metrics: MonitoringMetrics) -> list[Beside]:
    """What removes files of the log whose time is over, where they have one."""
    log, project = settings.monitoring.log, store.endpoint.prefix
    if log is None or log.retention_days is None:
        return []
    prefixes = [of(project, settings.promotion) for of in (predictions_prefix, feedback_prefix)]
    return [Retention(store, prefixes, log.retention_days, metrics.removed).sweeping()]


def _guard(application: Application, settings: ServerSettings, metrics: ServerMetrics) -> Guard | None:
    """Who stands before the application where keys are demanded."""
    if settings.keys_directory is None:
        return None
    return Guard(application, Keyring(Path(settings.keys_directory)), KeyMetrics(metrics.registry))


def _admission(settings: ServerSettings) -> AdmissionLimits:
    threads = max(1, min(_MOST_THREADS, os.cpu_count() or 1) // settings.processes)
    return AdmissionLimits(
        threads=threads, body_bytes=max(AdmissionLimits.body_bytes, settings.max_body_bytes)
    )
