"""Real S3 stores on the loopback: MinIO and versitygw, so that nothing comes to depend on one of them."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bringup.context import Context
from bringup.tools import ensure_tools
from modelyard_api.contract.steps import S3Endpoint
from modelyard_runtime.credentials import Login
from modelyard_runtime.s3 import ObjectStore, Outage
from tests.support import plain
from tests.support.ports import free_port
from tests.support.waiting import until

BUCKET = "modelyard"
_REGION = "us-east-1"
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Backend:
    """How to start one store; ``arguments`` get the port and the directory of the objects."""

    name: str
    arguments: Callable[[int, Path], list[str]]
    environment: Callable[[Login], dict[str, str]]


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend(
            "minio",
            lambda port, objects: ["server", "--quiet", "--address", f"127.0.0.1:{port}", str(objects)],
            lambda login: {"MINIO_ROOT_USER": login.username, "MINIO_ROOT_PASSWORD": login.password},
        ),
        Backend(
            "versitygw",
            lambda port, objects: ["--port", f"127.0.0.1:{port}", "--quiet", "posix", str(objects)],
            lambda login: {"ROOT_ACCESS_KEY": login.username, "ROOT_SECRET_KEY": login.password},
        ),
    )
}


class S3Server:
    """One store with one bucket."""

    def __init__(self, backend: Backend, binary: Path, directory: Path) -> None:
        self.backend = backend
        self.port = free_port()
        self.login = Login("modelyard-tests", "a secret of at least eight characters")
        self._binary = binary
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def endpoint(self, prefix: str, url: str | None = None) -> S3Endpoint:
        """The store for one project; another ``url`` leads through something in between."""
        return S3Endpoint(endpoint_url=url or self.url, region=_REGION, bucket=BUCKET, prefix=prefix)

    def store(self, prefix: str, outage: Outage | None = None) -> ObjectStore:
        """A client for one project."""
        return ObjectStore(self.endpoint(prefix), self.login, outage)

    def start(self) -> None:
        """Starts the program; a bucket is a directory of both stores."""
        objects = self._directory / "objects"
        (objects / BUCKET).mkdir(parents=True, exist_ok=True)
        with (self._directory / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [str(self._binary), *self.backend.arguments(self.port, objects)],
                env={**os.environ, **self.backend.environment(self.login)},
                cwd=self._directory,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, _START_SECONDS, f"{self.backend.name} answering at {self.url}")

    def stop(self) -> None:
        """Ends the program; the objects stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"{self.backend.name} ended:\n{(self._directory / 'log').read_text()[-2000:]}")
        try:
            # Any answer will do: an unsigned request is refused.
            return plain.get(self.url).status_code < httpx.codes.INTERNAL_SERVER_ERROR
        except httpx.HTTPError:
            return False


@contextmanager
def running_store(name: str) -> Iterator[S3Server]:
    """A store of its own for the time of the block."""
    binary = ensure_tools(Context.here(), [name])[name]
    with tempfile.TemporaryDirectory(prefix=f"modelyard-{name}-", ignore_cleanup_errors=True) as directory:
        server = S3Server(BACKENDS[name], binary, Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def minio_server() -> Iterator[S3Server]:
    """The store that the charts install, for tests that one is enough for; tests separate themselves by prefix."""
    with running_store("minio") as server:
        yield server


@pytest.fixture(scope="session")
def versitygw_server() -> Iterator[S3Server]:
    """The other store."""
    with running_store("versitygw") as server:
        yield server


@pytest.fixture(params=sorted(BACKENDS))
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each store in turn."""
    server: S3Server = request.getfixturevalue(f"{request.param}_server")
    return server
