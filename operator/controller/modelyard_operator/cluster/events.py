"""Events on our resources: written in the background, after everything that matters; at most once each."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from modelyard_api import API_VERSION
from modelyard_api.conditions import shorten
from modelyard_api.labels import child_name
from modelyard_operator.cluster.client import Cluster
from modelyard_operator.cluster.kinds import EVENT
from modelyard_operator.errors import OperatorError
from modelyard_operator.objects.meta import Meta
from modelyard_operator.objects.workloads import Event, ObjectReference

_LOG = logging.getLogger(__name__)
_MESSAGE = 1000
_BACKLOG = 5000


@dataclass(frozen=True)
class Happening:
    """A change of state of one of our resources."""

    kind: str
    namespace: str
    name: str
    uid: str
    warning: bool
    reason: str
    message: str
    resource_version: str


class EventRecorder:
    """A bounded backlog and the task that empties it; what does not fit is dropped, as events may be."""

    def __init__(self, component: str) -> None:
        self._component = component
        self._backlog: asyncio.Queue[Happening] = asyncio.Queue(_BACKLOG)

    def record(self, happening: Happening) -> None:
        """Takes a note, without waiting."""
        try:
            self._backlog.put_nowait(happening)
        except asyncio.QueueFull:
            _LOG.warning("an event about %s/%s was dropped", happening.namespace, happening.name)

    async def write(self, cluster: Cluster) -> None:
        """Writes for ever."""
        while True:
            happening = await self._backlog.get()
            try:
                await cluster.create(EVENT, self._event(happening, datetime.now(UTC)))
            except OperatorError as error:
                _LOG.debug("an event was not taken: %s", error)

    def _event(self, happening: Happening, now: datetime) -> Event:
        name = child_name(happening.name, happening.uid, happening.reason, happening.resource_version)
        time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Event(
            metadata=Meta(name=name, namespace=happening.namespace),
            involved_object=ObjectReference(
                api_version=API_VERSION,
                kind=happening.kind,
                name=happening.name,
                namespace=happening.namespace,
                uid=happening.uid,
            ),
            type="Warning" if happening.warning else "Normal",
            reason=happening.reason,
            message=shorten(happening.message, _MESSAGE),
            first_timestamp=time,
            last_timestamp=time,
            source={"component": self._component},
            reporting_component=self._component,
        )
