"""kopf's part: one low-level handler for every kind, which remembers what was seen and queues whom it concerns."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import kopf
from pydantic import ValidationError

from modelyard_api import labels
from modelyard_operator.cluster.credentials import Credentials
from modelyard_operator.cluster.kinds import CHILDREN, DATASET, PARENTS, PROMOTION, TRAINING_JOB, Kind
from modelyard_operator.cluster.store import Key, Store, parent_of
from modelyard_operator.handlers.queue import WorkQueue

_LOG = logging.getLogger(__name__)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is compared with the last handled state, so none is kept; kopf asks at every event."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:  # noqa: ANN401
        del body, extra_fields
        return {}

    def fetch(self, *, body: kopf.Body) -> None:
        del body

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:  # noqa: ANN401
        del body, patch, essence


class _NoProgress(kopf.ProgressStorage):
    """No handler of ours has progress that kopf should keep."""

    def fetch(self, *, key: str, body: kopf.Body) -> None:
        del key, body

    def store(self, *, key: str, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:  # noqa: ANN401
        del key, record, body, patch

    def clear(self, *, essence: Any) -> Any:  # noqa: ANN401
        return essence

    def purge(self, *, key: str, body: kopf.Body, patch: kopf.Patch) -> None:
        del key, body, patch

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        del body, patch, value


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf as a watcher: no peering, no scans, no events of its own, no state on objects."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    # Patient rather than fatal while the API server restarts, and never far from its return.
    settings.networking.error_backoffs = [0.5, 1, 2, 3, *[5] * 60]
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.chunk_size = 100
    # A worker of kopf only fills our queue; it need not stay for more.
    settings.queueing.idle_timeout = 0.5
    settings.queueing.exit_timeout = 0.2
    settings.process.ultimate_exiting_timeout = 25
    selector = f"{labels.MANAGED_BY}={labels.MANAGER}"
    for kind in CHILDREN:
        group, _, version = kind.api_version.rpartition("/")
        settings.watching.label_selectors[group, version, kind.plural] = selector
    return settings


def make_registry(store: Store, queue: WorkQueue, credentials: Credentials) -> kopf.OperatorRegistry:
    """Kopf's handlers, in a registry of their own."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: object) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(
            server=credentials.server,
            ca_path=credentials.ca,
            token=credentials.bearer(),
            certificate_path=credentials.certificate,
            private_key_path=credentials.key,
        )

    for kind in (*PARENTS, *CHILDREN):
        _watch(registry, kind, store, queue)
    return registry


def _watch(registry: kopf.OperatorRegistry, kind: Kind[Any], store: Store, queue: WorkQueue) -> None:
    group, _, version = kind.api_version.rpartition("/")

    @kopf.on.event(group, version, kind.plural, registry=registry, id=f"see-{kind.plural}")
    async def see(event: kopf.RawEvent, **_: object) -> None:
        observe(kind, event["type"], dict(event["object"]), store, queue)


def observe(kind: Kind[Any], type_: str | None, raw: dict[str, Any], store: Store, queue: WorkQueue) -> None:
    """Remembers an object and queues the parents whom it concerns."""
    try:
        item = kind.model.model_validate(raw)
    except ValidationError:
        _LOG.exception("a %s cannot be read", kind.name)
        return
    metadata = item.metadata
    if type_ == "DELETED":
        store.remove(kind, metadata.namespace, metadata.name, metadata.uid)
    elif store.knows_newer(kind, item):
        return
    elif not store.put(kind, item):
        # Our own write comes back: we know of it, others who wait for the object do not.
        for key in waiting_for(kind, item, store):
            queue.add(key)
        return
    for key in concerned(kind, item, store):
        queue.add(key)
    if type_ == "DELETED" and kind in PARENTS:
        queue.forget(Key(kind.name, metadata.namespace, metadata.name))


def concerned(kind: Kind[Any], item: Any, store: Store) -> list[Key]:  # noqa: ANN401
    """The object itself and who waits for it, or a child's parent."""
    if kind not in PARENTS:
        parent = parent_of(item)
        return [] if parent is None else [parent]
    own = Key(kind.name, item.metadata.namespace, item.metadata.name)
    return [own, *waiting_for(kind, item, store)]


def waiting_for(kind: Kind[Any], item: Any, store: Store) -> list[Key]:  # noqa: ANN401
    """Other resources whose next step may depend on this one."""
    namespace = item.metadata.namespace
    if kind is DATASET:
        return store.waiting_for(namespace, item.metadata.name)
    if kind is TRAINING_JOB:
        return store.promotions_of(namespace, item)
    if kind is PROMOTION:
        return store.promotions_beside(namespace, item)
    return []


async def run_kopf(
    registry: kopf.OperatorRegistry, namespaces: list[str], stop: asyncio.Event, ready: asyncio.Event
) -> None:
    """Watches until told to stop. Ends with an error where a watch cannot go on: the process is restarted then."""
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(),
        standalone=True,
        namespaces=namespaces,
        stop_flag=stop,
        ready_flag=ready,
    )
