"""Puts the server together from its settings."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from modelyard_api.contract.exit_codes import ExitCode
from modelyard_api.contract.route import RoutedModel
from modelyard_api.contract.steps import SERVER_VARIABLE, ServerSettings
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import StepError
from modelyard_runtime.logs import configure_logs
from modelyard_runtime.s3 import ObjectStore, Outage
from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.archive import ArchiveLimits
from modelyard_server.models.fetching import fetch_bundle
from modelyard_server.models.loading import LoadedModel, load_model
from modelyard_server.processes.siblings import Alone, Own, Siblings
from modelyard_server.processes.supervisor import Place, Supervisor
from modelyard_server.routing import RouteKeeper
from modelyard_server.state import ServerState
from modelyard_server.web.admin import make_admin
from modelyard_server.web.application import Application, Parts
from modelyard_server.web.lifecycle import make_server

_S3_PATIENCE = Outage(total=15.0, connect=3.0, retries=4)
_MOST_THREADS = 4
"""The cores of the node say little about those of the pod."""
_log = logging.getLogger(__name__)


def run(environment: Mapping[str, str]) -> int:
    """Serves until a signal; returns the exit status."""
    try:
        settings = ServerSettings.model_validate_json(environment.get(SERVER_VARIABLE, ""))
    except ValidationError as error:
        configure_logs(sys.stderr)
        _log.error("%s cannot be used: %s", SERVER_VARIABLE, error)
        return ExitCode.INVALID_SPEC
    configure_logs(sys.stderr, settings.log_level)
    if settings.processes == 1:
        return serve(settings, environment)
    supervisor = Supervisor(
        settings.processes, settings.port, lambda place: serve(settings, environment, place)
    )
    return supervisor.run()


def serve(settings: ServerSettings, environment: Mapping[str, str], place: Place | None = None) -> int:
    """One process of the server, the only one where it has no place among others."""
    try:
        store = ObjectStore(settings.s3, Credentials.mounted(environment).s3(), _S3_PATIENCE)
    except StepError as error:
        _log.error("%s", error)
        return ExitCode.PLATFORM
    state, metrics = ServerState(), ServerMetrics()
    keeper = RouteKeeper(
        Path(settings.route_path), partial(load, store, settings.max_model_bytes), state, metrics
    )
    siblings: Alone = Alone()
    beside: list[AbstractAsyncContextManager[None]] = []
    if place is not None:
        among = Siblings(place, Own(metrics.registry, lambda: state.ready, state.route_state))
        among.resume()
        siblings = among
        beside.append(among.telling())
    threads = max(1, min(_MOST_THREADS, os.cpu_count() or 1) // settings.processes)
    admission = Admission(AdmissionLimits(threads=threads), metrics)
    application = Application(
        Parts(
            state=state,
            metrics=metrics,
            admission=admission,
            max_body_bytes=settings.max_body_bytes,
            keep_route=partial(_keep, keeper, beside),
            admin=make_admin(state, siblings),
            siblings=siblings,
        )
    )
    if settings.grpc_port is not None:
        # Imported here: a server without it does without what its libraries take.
        from modelyard_server.grpc_service.service import InferenceService  # noqa: PLC0415

        service = InferenceService(application, state, metrics, admission)
        beside.append(service.listening(settings.grpc_port, settings.max_body_bytes))
    server = make_server(application, state, settings.port, settings.drain_seconds)
    server.run(None if place is None else [place.listener])
    return ExitCode.OK


async def _keep(keeper: RouteKeeper, beside: Sequence[AbstractAsyncContextManager[None]]) -> None:
    """Keeps the route, and runs what stands beside the HTTP server for as long."""
    async with AsyncExitStack() as running:
        for each in beside:
            await running.enter_async_context(each)
        await keeper.run()


def load(store: ObjectStore, max_bytes: int, routed: RoutedModel) -> LoadedModel:
    """Fetches, verifies and builds a routed version."""
    fetched = fetch_bundle(store, routed, max_bytes)
    return load_model(fetched, routed.model_digest, ArchiveLimits(total_bytes=2 * max_bytes))
