"""One contender with one model: started, asked for every row once, then asked as fast and as often as it can."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bringup.paths import REPOSITORY
from tests.bench.figures import Figure
from tests.bench.serving import load, tree
from tests.bench.serving.answers import compared
from tests.bench.serving.cases import Served
from tests.bench.serving.contenders import TWO, Contender, Running, started
from tests.bench.serving.names import COLD, LATE, LOST, MEMORY, RATE, of_rate
from tests.support.s3 import S3Server
from tests.support.waiting import until

_COLD_SECONDS = 120.0
_CONNECTIONS = 16
_WARM_UP_SECONDS = 1.0
_LIMIT = 20.0
"""A program that sends nothing any more is ended after so many times what it was to take."""
_OF_SERVER, _OF_LOAD = 0, 1
"""CPUs, so that who asks takes nothing from who answers."""


@dataclass(frozen=True)
class Extent:
    """How long and how fast."""

    seconds: float
    rates: Sequence[int]
    """Of the open loop, for models that have a compiled program."""


def measured(
    contender: Contender, served: Served, s3: S3Server, directory: Path, extent: Extent
) -> Iterator[Figure]:
    """All figures. Raises RuntimeError where an answer is not scikit-learn's."""

    def figure(name: str, unit: str, value: float) -> Figure:
        return Figure(served.name, contender.name, name, unit, value)

    with started(contender, served, s3, directory) as running:
        _await_answer(contender, served, running.port)
        yield figure(COLD, "s", time.perf_counter() - running.since)
        if contender.name != TWO and (os.cpu_count() or 1) > 1:
            tree.keep_on(running.pid, _OF_SERVER)
        for name, value in compared(contender, served, _answers(contender, served, running.port)):
            yield figure(name, "", value)
        requests = directory / "requests.jsonl"
        lines = [contender.request(served, place, running.port) for place in range(len(served.matrix))]
        requests.write_text("".join(json.dumps(line.decode("latin-1")) + "\n" for line in lines))
        yield from _closed(figure, running, requests, extent.seconds)
        for rate in extent.rates if served.compiled else ():
            told = _sent(running.port, requests, extent.seconds, "--rate", str(rate))
            for name in ("p50", "p99", "p99.9"):
                yield figure(of_rate(rate, name), "ms", told[name])
            yield figure(of_rate(rate, LOST), "", told["lost"])
            yield figure(of_rate(rate, LATE), "ms", told.get("late", math.inf))


def _closed(figure: Any, running: Running, requests: Path, seconds: float) -> Iterator[Figure]:  # noqa: ANN401
    connections = ("--connections", str(_CONNECTIONS))
    _sent(running.port, requests, _WARM_UP_SECONDS, *connections)
    before = tree.processor_seconds(running.pid)
    told = _sent(running.port, requests, seconds, *connections)
    used = tree.processor_seconds(running.pid) - before
    yield figure(RATE, "", told["answers"] / told["seconds"])
    yield figure("requests a CPU second", "", told["answers"] / used if used else math.inf)
    for name in ("p50", "p99", "p99.9"):
        yield figure(f"{name}, 16 connections", "ms", told[name])
    yield figure(f"{LOST}, 16 connections", "", told["lost"])
    yield figure(MEMORY, "MiB", tree.resident_mebibytes(running.pid))


def _sent(port: int, requests: Path, seconds: float, *options: str) -> dict[str, float]:
    command = [sys.executable, "-m", load.__name__, str(requests), "--port", str(port)]
    done = subprocess.run(
        [*command, "--seconds", str(seconds), *options],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        timeout=_LIMIT * (1 + seconds),
        preexec_fn=_alone if (os.cpu_count() or 1) > 1 else None,
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _alone() -> None:
    os.sched_setaffinity(0, {_OF_LOAD})


def _await_answer(contender: Contender, served: Served, port: int) -> None:
    with _client(port) as client:

        def answered() -> bool:
            try:
                return client.post(contender.path, json=contender.body(served, 0)).is_success
            except httpx.HTTPError:
                return False

        until(answered, _COLD_SECONDS, f"{contender.name} answering")


def _answers(contender: Contender, served: Served, port: int) -> Iterator[Any]:
    with _client(port) as client:
        for place in range(len(served.matrix)):
            yield client.post(contender.path, json=contender.body(served, place)).json()


def _client(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
