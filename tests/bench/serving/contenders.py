"""Who answers: how each is started, asked, and understood."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from bringup.paths import REPOSITORY
from tests.bench.serving.cases import Served
from tests.bench.serving.names import (
    BENTOML,
    FLOOR,
    KSERVE,
    LITSERVE,
    MLFLOW,
    MLSERVER,
    MODELYARD,
    MODELYARD_OIP,
)
from tests.support.ports import free_port
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project

MODEL = "bench"
TWO = "modelyard, 2 processes"
_HERE = Path(__file__).parent
_BUILD = REPOSITORY / "build" / "bench"
_STOP_SECONDS = 20.0

Document = dict[str, Any]


@dataclass(frozen=True)
class Running:
    """A contender that was started, and may not answer yet."""

    pid: int
    port: int
    since: float
    """When it was started, its model lying ready, on the clock of ``time.perf_counter``."""


@dataclass(frozen=True)
class Contender:
    """A server, in its own virtual environment, and the dialect in which it is asked."""

    name: str
    environment: str
    path: str
    body: Callable[[Served, int], Document]
    """What asks for one row."""
    answer: Callable[[Any], Any]
    """The prediction in what came back."""
    likely: Callable[[Any], Any] | None = None
    """The probabilities in what came back, where they are asked for."""
    script: str = ""
    """Program of a peer: it is called with the model's file and a port."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of our server."""

    @property
    def interpreter(self) -> Path:
        """Python of its virtual environment, which `hack/bench` makes."""
        return _BUILD / f"venv-{self.environment}" / "bin" / "python"

    @property
    def is_there(self) -> bool:
        """Whether its requirements are locked and installed."""
        return self.interpreter.exists()

    def request(self, served: Served, place: int, port: int) -> bytes:
        """The whole request for one row."""
        body = orjson.dumps(self.body(served, place))
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _named(served: Served, place: int) -> Document:
    return {"rows": [dict(zip(served.columns, served.row(place), strict=True))]}


def _tensor(served: Served, place: int) -> Document:
    row = served.row(place)
    kind = "BYTES" if served.texts else "FP64"
    shape = [1, len(row)]
    return {
        "inputs": [
            {
                "name": served.columns[0] if len(row) == 1 else "rows",
                "shape": shape,
                "datatype": kind,
                "data": row,
            }
        ]
    }


def _labels_alone(served: Served, place: int) -> Document:
    return {**_tensor(served, place), "outputs": [{"name": "predictions"}]}


def _listed(name: str) -> Callable[[Served, int], Document]:
    return lambda served, place: {name: [served.row(place)]}


def _first_output(document: Any) -> Any:  # noqa: ANN401
    return document["outputs"][0]["data"][0]


def _first_prediction(document: Any) -> Any:  # noqa: ANN401
    return document["predictions"][0]


def _first_likely(document: Any) -> Any:  # noqa: ANN401
    return document["probabilities"][0]


_INFER = f"/v2/models/{MODEL}/infer"
_OURS = Contender(MODELYARD, "server", "/predict", _named, _first_prediction, _first_likely)
CONTENDERS = (
    _OURS,
    Contender(MODELYARD_OIP, "server", _INFER, _labels_alone, _first_output),
    replace(_OURS, name=TWO, options={"processes": 2}),
    replace(_OURS, name=FLOOR, script="floor/bare.py"),
    Contender(MLSERVER, "mlserver", _INFER, _tensor, _first_output, script="mlserver/serve_mlserver.py"),
    Contender(
        KSERVE,
        "kserve",
        f"/v1/models/{MODEL}:predict",
        _listed("instances"),
        _first_prediction,
        script="kserve/serve_kserve.py",
    ),
    Contender(
        BENTOML,
        "bentoml",
        "/predict",
        _listed("rows"),
        lambda document: document[0],
        script="bentoml/serve_bentoml.py",
    ),
    Contender(
        LITSERVE,
        "litserve",
        "/predict",
        _listed("rows"),
        _first_prediction,
        script="litserve/serve_litserve.py",
    ),
    Contender(
        MLFLOW,
        "mlflow",
        "/invocations",
        _listed("inputs"),
        _first_prediction,
        script="mlflow/serve_mlflow.py",
    ),
)


@contextmanager
def started(contender: Contender, served: Served, s3: S3Server, directory: Path) -> Iterator[Running]:
    """The contender with this model, for the time of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    if contender.script:
        with _peer(contender, served, directory) as running:
            yield running
        return
    server = ServerProcess(
        directory,
        s3,
        fresh_project(),
        MODEL,
        dict(contender.options),
        cold=True,
        interpreter=str(contender.interpreter),
    )
    server.route(served.bundle.write(server.store))
    try:
        since = time.perf_counter()
        server.start()
        assert server.process is not None
        yield Running(server.process.pid, server.port, since)
    finally:
        server.stop(_STOP_SECONDS)


@contextmanager
def _peer(contender: Contender, served: Served, directory: Path) -> Iterator[Running]:
    file = served.save(directory)
    if contender.name == FLOOR and served.compiled:
        file = directory / "model.twin"
        file.write_bytes(served.bundle.files[file.name])
    port = free_port()
    paths = os.pathsep.join(str(REPOSITORY / path) for path in ("operator/api", "images/runtime"))
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {"PYTHONPATH": paths} if contender.name == FLOOR else {}
    since = time.perf_counter()
    with (directory / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [str(contender.interpreter), str(_HERE / contender.script), str(file), str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**os.environ, **one_thread, **own},
            start_new_session=True,
        )
    try:
        yield Running(process.pid, port, since)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        # Some leave their workers behind, which would take CPU from who is measured next.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
