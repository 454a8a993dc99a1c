"""The real server as a process of its own, with a route file as the kubelet would write it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from modelyard_api.contract.route import STATE_PATH, Route, RoutedModel, RouteState, Trial
from modelyard_api.contract.steps import (
    CREDENTIALS_VARIABLE,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    SERVER_VARIABLE,
    ServerSettings,
)
from modelyard_runtime.s3 import ObjectStore
from tests.support import plain
from tests.support.forking import Process, Program, forking
from tests.support.ports import free_port
from tests.support.s3 import S3Server
from tests.support.waiting import until

_ROOT = Path(__file__).resolve().parents[2]
_PATHS = ("operator/api", "images/runtime", "images/server")
_START_SECONDS = 60.0
_ONE_THREAD = tuple((name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"))
_LEAN = Program("modelyard_server", imports=("modelyard_server.run",), settings=_ONE_THREAD)
_SERVER = replace(_LEAN, imports=(*_LEAN.imports, "modelyard_server.models.scikit"))
MODEL = "iris"


@dataclass
class ServerProcess:
    """One server pod's process."""

    directory: Path
    s3: S3Server
    project: str
    model_name: str = MODEL
    options: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    s3_url: str | None = None
    """Where the server finds its store, if something stands between."""
    process: Process | None = None
    cold: bool = False
    """Whether it is an interpreter of its own, which has none but its own packages on its path."""
    interpreter: str = sys.executable
    """Which one that is."""
    lean: bool = False
    """Whether scikit-learn is imported only when a model asks for it; else whoever it is forked from has done that."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> ObjectStore:
        """A client of its S3."""
        return self.s3.store(self.project)

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.directory / "server.log").read_text()

    def route(
        self, champion: RoutedModel, previous: RoutedModel | None = None, candidate: Trial | None = None
    ) -> Route:
        """Writes the route file, whole or not at all, as a ConfigMap volume does."""
        route = Route(model_name=self.model_name, champion=champion, previous=previous, candidate=candidate)
        self.write_route(json.dumps(route.to_wire()))
        return route

    def write_route(self, text: str) -> None:
        """Writes any text as the route file."""
        fresh = self.directory / "route.json.new"
        fresh.write_text(text)
        fresh.rename(self.directory / "route.json")

    def start(self) -> None:
        """Starts the process and returns when it accepts connections."""
        credentials = self.directory / "credentials"
        credentials.mkdir(exist_ok=True)
        (credentials / S3_ACCESS_KEY).write_text(self.s3.login.username)
        (credentials / S3_SECRET_KEY).write_text(self.s3.login.password)
        settings = ServerSettings(
            promotion="test",
            project=self.project,
            model_name=self.model_name,
            route_path=str(self.directory / "route.json"),
            port=self.port,
            s3=self.s3.endpoint(self.project, self.s3_url),
            **{"drain_seconds": 0.0, **self.options},
        )
        environment = os.environ | {
            SERVER_VARIABLE: settings.model_dump_json(by_alias=True),
            CREDENTIALS_VARIABLE: str(credentials),
            # A pod's temporary files are its own, and are there after its container was started again.
            "TMPDIR": str(self.directory),
            "PYTHONPATH": os.pathsep.join(str(_ROOT / path) for path in _PATHS),
        }
        with (self.directory / "server.log").open("ab") as output:
            if self.cold:
                command = [self.interpreter, "-m", _SERVER.package]
                self.process = subprocess.Popen(
                    command, env=environment, cwd=self.directory, stdout=output, stderr=subprocess.STDOUT
                )
            else:
                program = _LEAN if self.lean else _SERVER
                self.process = forking(program).start(environment, output.fileno(), output.fileno())
        until(self._listens, _START_SECONDS, "the server listening")

    def stop(self, seconds: float = 30.0) -> int:
        """Sends SIGTERM and waits for the end; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """Ends the process if it is there."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    def rehearsals(self) -> list[int]:
        """Ids of the processes that try a version before the server loads it."""
        assert self.process is not None
        found, pending = [], [self.process.pid]
        while pending:
            for task in Path(f"/proc/{pending.pop()}/task").glob("*/children"):
                pending += (children := [int(pid) for pid in task.read_text().split()])
                found += [
                    pid for pid in children if b"rehearsing" in Path(f"/proc/{pid}/cmdline").read_bytes()
                ]
        return found

    def state(self) -> RouteState:
        """What the server says it serves."""
        return RouteState.model_validate(plain.get(self.url + STATE_PATH, 10).json())

    def await_route(self, route: Route, seconds: float = 120.0) -> RouteState:
        """Waits until this route is served."""
        digest = route.digest()

        def served() -> RouteState | None:
            state = self.state()
            return state if state.route_digest == digest else None

        return until(served, seconds, f"route {digest} being served (log: {self.log[-1500:]})")

    def await_error(self, word: str, seconds: float = 120.0) -> RouteState:
        """Waits until the server says why it does not serve what it should."""

        def told() -> RouteState | None:
            state = self.state()
            return state if word in (state.error or "") else None

        return until(told, seconds, f"an error with {word!r}")

    def client(self) -> httpx.Client:
        """A client that keeps its connection."""
        return plain.client(self.url)

    def _listens(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"the server ended:\n{self.log[-3000:]}")
        try:
            return plain.get(self.url + "/v2/health/live").is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running_server(
    directory: Path,
    s3: S3Server,
    project: str,
    model_name: str = MODEL,
    *,
    cold: bool = False,
    lean: bool = False,
    **options: Any,  # noqa: ANN401  fields of ServerSettings
) -> Iterator[ServerProcess]:
    """A server for the time of the block; its route file is still to be written."""
    directory.mkdir(parents=True, exist_ok=True)
    server = ServerProcess(directory, s3, project, model_name, options, cold=cold, lean=lean)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def fresh_project() -> str:
    """A prefix that no other test uses."""
    return f"project-{time.monotonic_ns()}"
