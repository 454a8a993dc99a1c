"""What the processes of a pod tell each other, so that whichever is asked answers for the pod.

Each listens on a Unix socket. Who is asked for metrics, readiness or the route asks the others and adds up. What a process
told of its counts it keeps in a file, from which whoever takes its place goes on: the pod's counters never fall.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import BaseModel, ValidationError

from modelyard_api.contract.route import RoleCounts, RouteState
from modelyard_server.metrics import Process
from modelyard_server.processes.supervisor import Place
from modelyard_server.series import Held, Registry

_STATE, _SERIES = b"state\n", b"series\n"
_PATIENCE_SECONDS = 2.0
_ANSWER_BYTES = 16 * 1024 * 1024
_COUNTED = ("requests", "errors", "slow", "compared", "disagreed", "windows", "drifted")

_log = logging.getLogger(__name__)


class Told(BaseModel):
    """What a process says of itself."""

    pid: int
    ready: bool
    state: RouteState


class Alone:
    """The only process of its pod."""

    async def told(self) -> list[Told | None]:
        """What each of the others says; None for one that does not answer."""
        return []

    async def counted(self) -> list[Process]:
        """What the others have counted."""
        return []


@dataclass(frozen=True)
class Own:
    """What this process has to tell."""

    registry: Registry
    ready: Callable[[], bool]
    state: Callable[[], RouteState]


class Siblings(Alone):
    """One of several processes."""

    def __init__(self, place: Place, own: Own) -> None:
        self._directory = place.directory
        self._number = place.number
        self._others = [number for number in range(place.count) if number != place.number]
        self._own = own

    def resume(self) -> None:
        """Goes on from what the process before this one in its place told last, if there was one."""
        self._own.registry.resume(self._kept(self._number))

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Answers the others for the time of the block."""
        path = self._socket(self._number)
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._tell, path)
        try:
            yield
        finally:
            server.close()

    async def told(self) -> list[Told | None]:
        """See ``Alone``."""
        answers = await asyncio.gather(*(self._ask(number, _STATE) for number in self._others))
        return [_parsed(answer) for answer in answers]

    async def counted(self) -> list[Process]:
        """See ``Alone``. For one that does not answer, what it told last."""
        self._keep(self._own.registry.held())
        answers = await asyncio.gather(*(self._ask(number, _SERIES) for number in self._others))
        return [
            Process(None, self._kept(number)) if answer is None else _process(answer)
            for number, answer in zip(self._others, answers, strict=True)
        ]

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            wanted = await asyncio.wait_for(reader.readline(), _PATIENCE_SECONDS)
            writer.write(self._series() if wanted == _SERIES else self._state())
            await writer.drain()
        except (OSError, TimeoutError):
            _log.warning("another process of the pod left before it was answered")
        finally:
            writer.close()

    def _state(self) -> bytes:
        own = self._own
        return Told(pid=os.getpid(), ready=own.ready(), state=own.state()).model_dump_json().encode()

    def _series(self) -> bytes:
        held = self._own.registry.held()
        self._keep(held)
        return orjson.dumps({"pid": os.getpid(), "held": held})

    async def _ask(self, number: int, wanted: bytes) -> bytes | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._socket(number), limit=_ANSWER_BYTES)
                try:
                    writer.write(wanted)
                    return await reader.read(-1) or None
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None

    def _socket(self, number: int) -> Path:
        return self._directory / f"{number}.sock"

    def _file(self, number: int) -> Path:
        return self._directory / f"{number}.json"

    def _keep(self, held: Held) -> None:
        fresh = self._directory / f"{self._number}.new"
        try:
            fresh.write_bytes(orjson.dumps(held))
            fresh.rename(self._file(self._number))
        except OSError as error:
            _log.warning("counts are not kept: %s", error)

    def _kept(self, number: int) -> Held:
        try:
            found: Held = orjson.loads(self._file(number).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return found


async def all_ready(own: bool, siblings: Alone) -> bool:  # noqa: FBT001  what a process says of itself
    """Whether the pod is ready: all of its processes are."""
    return own and all(told is not None and told.ready for told in await siblings.told())


def of_pod(own: RouteState, others: Sequence[Told | None]) -> RouteState:
    """The state of the process that is furthest behind, as the pod serves a route when all of its processes do.

    Requests and errors are those of all, and so is what versions did under its route. One that does not answer serves nothing.
    """
    states = [own, *(RouteState() if each is None else each.state for each in others)]
    behind = min(states, key=lambda state: _standing(state, own))
    return behind.model_copy(
        update={
            "wanted_digest": own.wanted_digest or behind.wanted_digest,
            "requests": sum(state.requests for state in states),
            "errors": sum(state.errors for state in states),
            "rollout_requests": sum(state.rollout_requests for state in states),
            "rollout_errors": sum(state.rollout_errors for state in states),
            "counts": _together(
                each for state in states if state.route_digest == behind.route_digest for each in state.counts
            ),
        }
    )


def _together(counts: Iterable[RoleCounts]) -> list[RoleCounts]:
    """One entry a version and role, with what all processes counted of it."""
    found: dict[tuple[str, str], RoleCounts] = {}
    for each in counts:
        known = found.get((each.role, each.version))
        sums: dict[str, object] = {}
        if known is not None:
            sums = {name: getattr(known, name) + getattr(each, name) for name in _COUNTED}
            sums["drifting"] = list(dict.fromkeys([*known.drifting, *each.drifting]))
        found[each.role, each.version] = each.model_copy(update=sums)
    return list(found.values())


def _standing(state: RouteState, own: RouteState) -> int:
    """The lower, the further behind: failed, without a model, on another route than the one that asks, on the same."""
    if state.error is not None:
        return 0
    if state.route_digest is None:
        return 1
    if state.route_digest != state.wanted_digest:
        return 2
    return 4 if state.route_digest == own.route_digest else 3


def _parsed(answer: bytes | None) -> Told | None:
    try:
        return None if answer is None else Told.model_validate_json(answer)
    except ValidationError:
        return None


def _process(answer: bytes) -> Process:
    told = orjson.loads(answer)
    return Process(told["pid"], told["held"])
