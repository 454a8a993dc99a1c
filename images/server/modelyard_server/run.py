"""Puts the server together from its settings."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping
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
from modelyard_server.monitoring.logbook import Place
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.monitor import Monitor
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
    try:
        store = ObjectStore(settings.s3, Credentials.mounted(environment).s3(), _S3_PATIENCE)
    except StepError as error:
        _log.error("%s", error)
        return ExitCode.PLATFORM
    state, metrics = ServerState(), ServerMetrics()
    monitor = make_monitor(settings, store, metrics)
    keeper = RouteKeeper(
        Path(settings.route_path), partial(load, store, settings.max_model_bytes), state, metrics, monitor
    )
    application = Application(
        Parts(
            state=state,
            metrics=metrics,
            admission=Admission(AdmissionLimits(threads=min(_MOST_THREADS, os.cpu_count() or 1)), metrics),
            max_body_bytes=settings.max_body_bytes,
            keep_route=keeper.run,
            admin=make_admin(state, takes_labels=monitor.logs),
            monitor=monitor,
        )
    )
    make_server(application, state, settings.port, settings.drain_seconds).run()
    return ExitCode.OK


def load(store: ObjectStore, max_bytes: int, routed: RoutedModel) -> LoadedModel:
    """Fetches, verifies and builds a routed version."""
    fetched = fetch_bundle(store, routed, max_bytes)
    return load_model(fetched, routed.model_digest, ArchiveLimits(total_bytes=2 * max_bytes))


def make_monitor(settings: ServerSettings, store: ObjectStore, metrics: ServerMetrics) -> Monitor:
    """What looks at the answers; files of the prediction log carry the pod's name."""
    place = Place(store.endpoint.prefix, settings.promotion, socket.gethostname())
    return Monitor(settings.monitoring, place, store.create, MonitoringMetrics(metrics.registry))
