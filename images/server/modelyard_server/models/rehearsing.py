"""Loads a version in a process of its own, which answers nobody, and tells what came of it and what memory it took.

What a model file does to this process it does to no champion: it may run out of memory, crash, or never end.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from modelyard_api.contract.route import RoutedModel
from modelyard_api.contract.steps import ServerSettings
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import StepError
from modelyard_runtime.logs import configure_logs
from modelyard_runtime.s3 import ObjectStore
from modelyard_server.errors import BundleError
from modelyard_server.models.bringing import S3_PATIENCE, bring
from modelyard_server.models.fetching import read_bundle
from modelyard_server.models.memory import limit_data, too_large

LIBRARIES = "modelyard_server.models.scikit"
"""Imported where a model has no compiled program."""
_PARENT_DEATH_SIGNAL = 1
_FIRST_TO_GO = "1000"
_NICER = 5
_KIB = 1024


class Order(BaseModel):
    """What is to be tried, on standard input."""

    settings: ServerSettings
    routed: RoutedModel
    free: int | None
    """Bytes of memory that it may take; None where nobody knows."""
    libraries: bool
    """Whether whoever asks has them in memory already, so that they are no part of what the model takes."""
    answer: int
    """Number of the open file that takes the answer."""


class Ending(StrEnum):
    """How it went."""

    PROVEN = "proven"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class Rehearsed(BaseModel):
    """What came of it."""

    ending: Ending
    message: str = ""
    bytes: int = 0
    """Memory that loading took at most."""


def main(environment: Mapping[str, str]) -> int:
    """Tries what standard input names; returns 0 if there is an answer, whatever it says."""
    order = Order.model_validate_json(sys.stdin.buffer.read())
    configure_logs(sys.stderr, order.settings.log_level)
    _stand_back()
    with os.fdopen(order.answer, "wb") as answer:
        answer.write(_rehearse(order, environment).model_dump_json().encode())
    return 0


def _rehearse(order: Order, environment: Mapping[str, str]) -> Rehearsed:
    try:
        if order.free is not None:
            limit_data(order.free)
        store = ObjectStore(order.settings.s3, Credentials.mounted(environment).s3(), S3_PATIENCE)
        bundle = read_bundle(store, order.routed.bundle_uri, order.routed.model_digest)
        if order.libraries and (bundle.certificate is None or not bundle.certificate.used):
            importlib.import_module(LIBRARIES)
        before = _Memory.now()
        bring(store, order.settings, order.routed, lambda: order.free, tried=True)
    except BundleError as error:
        return Rehearsed(ending=Ending.REFUSED, message=str(error))
    except StepError as error:
        return Rehearsed(ending=Ending.UNREACHABLE, message=error.message)
    except (MemoryError, ImportError):
        # Libraries that are there and cannot be imported have no room either.
        return Rehearsed(ending=Ending.REFUSED, message=too_large(order.free))
    return Rehearsed(ending=Ending.PROVEN, bytes=_Memory.now().most_since(before))


class _Memory:
    """What this process takes, in bytes."""

    def __init__(self, status: Mapping[str, int]) -> None:
        self._most, self._resident, self._files = status["VmHWM"], status["VmRSS"], status["RssFile"]

    @classmethod
    def now(cls) -> _Memory:
        """As the kernel tells it."""
        lines = Path("/proc/self/status").read_text().splitlines()
        found = {
            name: int(value.split()[0]) * _KIB
            for name, _, value in (line.partition(":") for line in lines)
            if name in {"VmHWM", "VmRSS", "RssFile"}
        }
        return cls(found)

    def most_since(self, before: _Memory) -> int:
        """What was taken at most; pages of files are left out, which the kernel gives back and processes share."""
        return max(0, self._most - before._resident - (self._files - before._files))


def _stand_back() -> None:
    """Ends with whoever asked, goes first where memory is short, and lets requests go before it."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    os.nice(_NICER)


if __name__ == "__main__":
    sys.exit(main(os.environ))
