"""Clients that others wrote work as they are, and the examples that the protocol publishes are answered in its form."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from modelyard_api.contract.manifest import Column
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType
from tests.support.bundles import FittedModel, build_bundle, build_compiled, iris, matrix_of
from tests.support.environments import interpreter
from tests.support.ports import free_port
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server

CLIENTS = Path(__file__).resolve().parents[2] / "clients"
FITTED = iris()
MATRIX = matrix_of(FITTED.inputs, FITTED.rows)
EXPECTED = FITTED.model.predict(MATRIX).tolist()
LIKELY = FITTED.model.predict_proba(MATRIX).ravel().tolist()


@pytest.fixture(scope="module")
def server(minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    place = tmp_path_factory.mktemp("clients")
    with running_server(place, minio_server, fresh_project(), grpc_port=free_port()) as running:
        running.await_route(running.route(build_compiled(FITTED).write(running.store, "3")))
        yield running


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Rows for a client's program."""
    file = tmp_path / "rows.json"
    names = [column.name for column in FITTED.inputs]
    file.write_text(json.dumps({"names": names, "matrix": MATRIX.tolist()}))
    return file


def test_mlflows_client_of_a_scoring_server_works_unchanged(server: ServerProcess, rows: Path) -> None:
    found = said(sys.executable, CLIENTS / "scoring" / "ask.py", [str(server.port), str(rows)])
    one = found["answers"].pop("a series of one row as a frame")
    assert one == EXPECTED[1:2]
    assert len(found["answers"]) == 6
    assert all(answer == EXPECTED for answer in found["answers"].values()), found["answers"]
    assert (found["version"], found["rows"]) == ("0.1.0", len(EXPECTED))
    assert "400" in found["refused"]
    assert FITTED.inputs[0].name in found["refused"]


@pytest.mark.timeout(600)
def test_a_client_of_the_open_inference_protocol_works_unchanged(server: ServerProcess, rows: Path) -> None:
    python = interpreter(CLIENTS / "triton" / "requirements.txt")
    addresses = [f"127.0.0.1:{server.port}", f"127.0.0.1:{server.options['grpc_port']}"]
    found = said(str(python), CLIENTS / "triton" / "ask.py", [*addresses, "iris", str(rows)])
    assert found["ready"] == [True] * 6
    assert found["metadata"]["name"] == "modelyard"
    assert found["version"] == found["metadata"]["version"] == "0.1.0"
    assert found["inputs"] == [each["name"] for each in found["model"]["inputs"]]
    for way in ("columns in JSON", "columns in binary", "one matrix", "columns over gRPC"):
        assert found[way]["predictions"] == EXPECTED, way
        assert np.ravel(found[way]["probabilities"]).tolist() == pytest.approx(LIKELY), way
    assert all("takes 4" in refusal for refusal in found["refusals"]), found["refusals"]


PAIR = ("input0", "input1")


@pytest.fixture(scope="module")
def pair_client(minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A model of two numbers, whose sum it gives, as the protocol's examples send them."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [3.0, 5.0]])
    model = Pipeline([("estimator", LinearRegression())]).fit(corners, corners.sum(axis=1))
    fitted = FittedModel(
        model=model,
        task=Task.REGRESSION,
        target="sum",
        inputs=[Column(name=name, type=ColumnType.NUMBER, nullable=False) for name in PAIR],
        rows=[dict(zip(PAIR, row, strict=True)) for row in corners.tolist()],
    )
    with running_server(tmp_path_factory.mktemp("pair"), minio_server, fresh_project(), "mymodel") as running:
        running.await_route(running.route(build_bundle(fitted).write(running.store, "1")))
        with running.client() as opened:
            yield opened


# Requests in the form of the examples of the protocol's REST half: a matrix in row-major order, flat or nested, one tensor
# a column, an id that is given back, outputs by name.
EXAMPLES: dict[str, dict[str, Any]] = {
    "a flat matrix": {
        "id": "42",
        "inputs": [{"name": "matrix", "shape": [2, 2], "datatype": "UINT32", "data": [1, 2, 4, 5]}],
        "outputs": [{"name": "predictions"}],
    },
    "a nested matrix": {
        "id": "42",
        "inputs": [{"name": "matrix", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [4, 5]]}],
        "outputs": [{"name": "predictions"}],
    },
    "two tensors": {
        "id": "42",
        "inputs": [
            {"name": "input0", "shape": [2], "datatype": "UINT32", "data": [1, 4]},
            {"name": "input1", "shape": [2, 1], "datatype": "FP32", "data": [2.0, 5.0]},
        ],
        "outputs": [{"name": "predictions"}],
    },
    "parameters, and nulls for what is left out": {
        "id": "42",
        "parameters": {"anything": 1},
        "inputs": [
            {"name": "matrix", "shape": [2, 2], "datatype": "FP64", "parameters": {}, "data": [1, 2, 4, 5]}
        ],
        "outputs": None,
    },
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("path", ["/v2/models/mymodel/infer", "/v2/models/mymodel/versions/1/infer"])
def test_an_example_of_the_protocol_is_answered_in_its_form(
    pair_client: httpx.Client, path: str, name: str
) -> None:
    answer = pair_client.post(path, json=EXAMPLES[name])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    tensor = body.pop("outputs")[0]
    assert body == {"model_name": "mymodel", "model_version": "1", "id": "42"}
    assert tensor.pop("data") == pytest.approx([3.0, 9.0])
    assert tensor == {"name": "predictions", "shape": [2], "datatype": "FP64"}


def test_the_protocols_pages_have_its_fields(pair_client: httpx.Client) -> None:
    server = pair_client.get("/v2").json()
    assert server.keys() == {"name", "version", "extensions"}
    model = pair_client.get("/v2/models/mymodel").json()
    assert {"name", "versions", "platform", "inputs", "outputs"} <= model.keys()
    assert model["inputs"] == [{"name": name, "datatype": "FP64", "shape": [-1]} for name in PAIR]
    assert model["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]
    refused = pair_client.post("/v2/models/mymodel/infer", json={"inputs": []})
    assert refused.status_code == 400
    assert refused.json().keys() == {"error"}


def said(python: str, program: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """What a client's program printed."""
    done = subprocess.run(
        [python, str(program), *arguments], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found
