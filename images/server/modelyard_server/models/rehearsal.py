"""Has a version loaded by a process that answers nobody before one does that answers clients.

A model file may take more memory than there is, or end the process that reads it; nobody can tell before. So a version that
comes while requests are answered is first loaded by a child, from its bundle to the answers to its golden requests, and
only if that came through by the process itself. What a pod starts with is loaded at once: there is nobody to lose. Where
that ended the process, the next one has it tried.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping

from pydantic import ValidationError

from modelyard_api.contract.steps import ServerSettings
from modelyard_runtime.errors import PlatformError
from modelyard_runtime.s3 import ObjectStore
from modelyard_server.errors import BundleError
from modelyard_server.models import rehearsing
from modelyard_server.models.arriving import SupersededError, Wanted
from modelyard_server.models.bringing import bring
from modelyard_server.models.loading import LoadedModel
from modelyard_server.models.memory import Room, demand_room, free_bytes, too_large
from modelyard_server.models.rehearsing import LIBRARIES, Ending, Order, Rehearsed
from modelyard_server.models.turns import Turns
from modelyard_server.signals import signal_name

_LOOK_SECONDS = 0.05
_ANSWER_BYTES = 65_536
_OWN_BYTES = 64 * 1024 * 1024
"""What the child takes before it has read anything."""
_MIB = 1024 * 1024
_STANDARD_ERROR = 2
_OUT_OF_MEMORY = (signal.SIGKILL, signal.SIGABRT)
"""The kernel's way, and that of libraries which cannot raise an exception."""

_log = logging.getLogger(__name__)


class Rehearsals:
    """Loads versions for one process, and has them tried before where that is called for."""

    def __init__(
        self,
        store: ObjectStore,
        settings: ServerSettings,
        turns: Turns,
        environment: Mapping[str, str],
        room: Room = free_bytes,
    ) -> None:
        self._store = store
        self._settings = settings
        self._turns = turns
        self._environment = dict(environment)
        self._room = room

    def load(self, wanted: Wanted) -> LoadedModel:
        """The model; see ``arriving.Load``. Processes of a pod take turns, so that each sees what memory is left for it."""
        digest = wanted.routed.model_digest
        with self._turns.turn(wanted.abandoned):
            tried = wanted.at_stake or self._turns.ended_a_process(digest)
            if tried:
                demand_room("the model", self._needed(wanted), self._room())
            if wanted.abandoned.is_set():
                raise SupersededError
            with self._turns.loading(digest):
                return bring(self._store, self._settings, wanted.routed, self._room, tried=tried)

    def _needed(self, wanted: Wanted) -> int:
        """Bytes that loading takes at most. Raises BundleError where it does not come through."""
        digest = wanted.routed.model_digest
        found = self._turns.told(digest)
        if found is None:
            found = self._rehearse(wanted)
            if found.ending is Ending.UNREACHABLE:
                raise PlatformError(found.message)
            self._turns.tell(digest, found)
        if found.ending is Ending.REFUSED:
            raise BundleError(found.message)
        return found.bytes

    def _rehearse(self, wanted: Wanted) -> Rehearsed:
        version, free = wanted.routed.version, self._room()
        _log.info("version %s is loaded by a process of its own first", version)
        if free is not None and free < _OWN_BYTES:
            return Rehearsed(ending=Ending.REFUSED, message=too_large(free))
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as answer:
            try:
                child = self._start(wanted, free, writing)
            finally:
                os.close(writing)
            try:
                stopped = self._wait(child, wanted.abandoned, free)
            finally:
                child.kill()
                child.wait()
            told = answer.read(_ANSWER_BYTES)
        return stopped or _understood(told, child.returncode, free)

    def _start(self, wanted: Wanted, free: int | None, answer: int) -> subprocess.Popen[bytes]:
        order = Order(
            settings=self._settings,
            routed=wanted.routed,
            # The requests that are answered meanwhile need some of it.
            free=None if free is None else free * 9 // 10,
            libraries=LIBRARIES in sys.modules,
            answer=answer,
        )
        child = subprocess.Popen(
            [sys.executable, "-m", rehearsing.__name__],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=_STANDARD_ERROR,
            pass_fds=[answer],
        )
        assert child.stdin is not None  # noqa: S101  it was asked for
        with child.stdin as asking:
            asking.write(order.model_dump_json().encode())
        return child

    def _wait(
        self, child: subprocess.Popen[bytes], abandoned: threading.Event, free: int | None
    ) -> Rehearsed | None:
        """Returns when the child has ended, or why it was not left to. Raises SupersededError once it is abandoned."""
        while True:
            try:
                child.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if abandoned.is_set():
                    raise SupersededError from None
                left = self._room()
                if free is not None and left is not None and left < free // 20:
                    return Rehearsed(ending=Ending.REFUSED, message=too_large(free))
            else:
                return None


def _understood(told: bytes, status: int, free: int | None) -> Rehearsed:
    if status == 0:
        try:
            return Rehearsed.model_validate_json(told)
        except ValidationError:
            return Rehearsed(ending=Ending.REFUSED, message="loading it gave no answer that can be read")
    left = "" if free is None else f", with {free // _MIB} MiB of memory left in the pod"
    how = f"was ended by {signal_name(-status)}" if status < 0 else f"ended with status {status}"
    if -status in _OUT_OF_MEMORY:
        how = f"{how}, as one is that gets no more memory"
    message = f"the process in which it was loaded first, apart from all requests, {how}{left}"
    return Rehearsed(ending=Ending.REFUSED, message=message)
