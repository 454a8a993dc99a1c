"""Kills a loader at every statement, copied block, commit and write: a program that forks one child for each try.

The program has everything imported, so that a try costs no start of an interpreter. It is the only reader of what it is
told; the loader knows nothing of it.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import psycopg

from modelyard_api.contract.steps import LoadStep, Step
from modelyard_loader.dispatch import carry_out
from modelyard_runtime.logs import configure_logs

_FAILED = 70


@dataclass(frozen=True)
class Tried:
    """How a try ended."""

    killed: bool
    failed: bool
    events: list[str]
    """What the loader was about to do, in order; the last is what it was killed at."""
    log: str


class Nursery:
    """Starts loaders and kills them."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path, environment: Mapping[str, str]) -> None:
        self._process = process
        self._log = log
        self._environment = dict(environment)

    def given(self, environment: Mapping[str, str]) -> "Nursery":
        """The same program, for loaders that have these variables."""
        return Nursery(self._process, self._log, environment)

    def load(self, step: LoadStep, kill_at: int | None = None) -> Tried:
        """Carries a step out, killed before the event of this number, from 1."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        ask = {
            "step": Step(load=step).model_dump_json(by_alias=True, exclude_unset=True),
            "kill_at": kill_at,
            "environment": self._environment,
            "log": str(self._log),
        }
        self._process.stdin.write(json.dumps(ask) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        status = answer["status"]
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        return Tried(killed, not killed and status != 0, answer["events"], self._log.read_text())


@contextmanager
def nursery(directory: Path, name: str) -> Iterator[Nursery]:
    """A program that forks loaders, for the time of the block; ``name`` is that of its log."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.support.killing"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Nursery(process, directory / f"tries-{name}.log", {})
    finally:
        with suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


class _Counter:
    """Writes down every event before it happens, and ends the process at one of them."""

    def __init__(self, pipe: int, kill_at: int | None) -> None:
        self._pipe = pipe
        self._kill_at = kill_at
        self._count = 0

    def happens(self, event: str) -> None:
        self._count += 1
        os.write(self._pipe, (event + "\n").encode())
        if self._count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, place: Any, name: str, told: Callable[..., str]) -> None:  # noqa: ANN401  classes and modules
        """Counts the calls of a function."""
        original = getattr(place, name)

        def counted(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  whatever it takes
            self.happens(told(*arguments))
            return original(*arguments, **options)

        setattr(place, name, counted)


def _spelled(statement: object) -> str:
    text = statement if isinstance(statement, str) else statement.as_string(None)  # type: ignore[attr-defined]
    return " ".join(text.split())[:80]


def _watch(counter: _Counter) -> None:
    counter.watch(psycopg.Cursor, "execute", lambda _cursor, query, *_: _spelled(query))
    counter.watch(psycopg.Cursor, "copy", lambda _cursor, query, *_: _spelled(query))
    counter.watch(psycopg.Copy, "write", lambda *_: "copy: block")
    counter.watch(psycopg.Copy, "__exit__", lambda *_: "copy: end")
    counter.watch(psycopg.Connection, "commit", lambda *_: "commit")
    counter.watch(psycopg.Transaction, "__enter__", lambda *_: "savepoint")
    counter.watch(psycopg.Transaction, "__exit__", lambda *_: "release savepoint")
    counter.watch(obstore, "put", lambda _store, key, *_: f"put {key}")
    counter.watch(obstore, "delete", lambda _store, key, *_: f"delete {key}")


def _try(ask: dict[str, Any], pipe: int) -> None:
    """In the child: carries the step out. Does not return."""
    status = 0
    with Path(ask["log"]).open("w") as log:
        try:
            configure_logs(log)
            _watch(_Counter(pipe, ask["kill_at"]))
            carry_out(Step.model_validate_json(ask["step"]), ask["environment"])
        except BaseException:  # noqa: BLE001  told by the status
            traceback.print_exc(file=log)
            status = _FAILED
    os._exit(status)


def _answered(ask: dict[str, Any]) -> dict[str, object]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _try(ask, writing)
    os.close(writing)
    with os.fdopen(reading) as events:
        told = events.read().splitlines()
    return {"status": os.waitpid(child, 0)[1], "events": told}


if __name__ == "__main__":
    # DuckDB imports it where it finds it; no image of the loader has it.
    importlib.import_module("pandas")
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answered(json.loads(line))) + "\n")
        sys.stdout.flush()
    # Taking apart what was frozen would be told as a leak.
    os._exit(0)
