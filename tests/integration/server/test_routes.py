"""Routes: loaded, swapped under load, refused where a bundle is not what it should be, and drained at the end."""

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from modelyard_api.contract.bundle import GOLDEN_FILE, MODEL_FILE, TWIN_FILE, bundle_prefix
from modelyard_api.contract.route import RoutedModel
from modelyard_api.digests import canonical_json
from tests.support.asking import Clients
from tests.support.bundles import build_bundle, build_compiled, forest, iris, make_bundle
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server
from tests.support.waiting import until

FLOWER = iris().rows[0]
SWAPS = 10


@pytest.fixture
def server(minio_server: S3Server, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server without a route."""
    with running_server(tmp_path, minio_server, fresh_project()) as running:
        yield running


def test_a_server_without_a_route_is_alive_and_not_ready(server: ServerProcess) -> None:
    with server.client() as client:
        assert client.get("/v2/health/live").status_code == 200
        assert client.get("/v2/health/ready").status_code == 503
        assert client.get("/v2/models/iris/ready").status_code == 503
        answer = client.post("/predict", json=FLOWER)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "route.json" in (server.state().error or "")


def test_ten_swaps_under_load_fail_no_request(server: ServerProcess) -> None:
    models = [build_compiled(iris(seed)).write(server.store, str(seed + 1)) for seed in range(4)]
    server.await_route(server.route(models[0]))
    order = list(itertools.islice(itertools.cycle(models), SWAPS + 1))
    with Clients(server, FLOWER, pause=0.005) as clients:
        for before, after in itertools.pairwise(order):
            asked = clients.codes[200]
            server.await_route(server.route(after, before))
            until(lambda start=asked: clients.codes[200] > start + 20, what="requests after the swap")  # type: ignore[misc]
    assert set(clients.codes) == {200}, clients.codes
    assert set(clients.versions) == {"1", "2", "3", "4"}
    assert server.state().errors == 0


def test_the_way_back_needs_no_store(server: ServerProcess, minio_server: S3Server) -> None:
    first, second = (build_compiled(iris(seed)).write(server.store, str(seed + 1)) for seed in range(2))
    server.await_route(server.route(first))
    server.await_route(server.route(second, first))
    minio_server.stop()
    try:
        server.await_route(server.route(first, second), seconds=5)
    finally:
        minio_server.start()


def test_an_unreachable_store_is_waited_out(server: ServerProcess, minio_server: S3Server) -> None:
    bundle = build_bundle(iris()).write(server.store)
    minio_server.stop()
    try:
        route = server.route(bundle)
        server.await_error("did not answer", seconds=60)
    finally:
        minio_server.start()
    server.await_route(route, seconds=60)


def test_a_bundle_that_is_missing_keeps_the_champion(server: ServerProcess) -> None:
    good = server.route(build_compiled(iris()).write(server.store, "1"))
    server.await_route(good)
    absent = RoutedModel(
        version="2",
        run_id="run",
        model_digest="sha256:" + "0" * 64,
        bundle_uri=server.store.uri(bundle_prefix(server.project, "0" * 64)),
    )
    wanted = server.route(absent)
    state = server.await_error("version 2 of model iris")
    assert (state.route_digest, state.wanted_digest) == (good.digest(), wanted.digest())
    with server.client() as client:
        assert client.post("/predict", json=FLOWER).json()["model_version"] == "1"


def test_a_route_that_is_no_route_keeps_the_champion(server: ServerProcess) -> None:
    good = server.route(build_compiled(iris()).write(server.store))
    server.await_route(good)
    server.write_route('{"modelName": ')
    assert server.await_error("cannot be used").route_digest == good.digest()


def test_a_changed_file_is_refused_with_both_digests(server: ServerProcess) -> None:
    bundle = build_bundle(iris())
    other = build_bundle(iris(seed=5))
    files = {**bundle.files, MODEL_FILE: other.files[MODEL_FILE][: len(bundle.files[MODEL_FILE])]}
    changed = type(bundle)(bundle.document, files)
    server.route(changed.write(server.store))
    server.await_error("model.skops has the SHA-256")


def test_a_changed_program_is_refused_with_both_digests(server: ServerProcess) -> None:
    bundle = build_compiled(iris())
    twin = bytes(len(bundle.files[TWIN_FILE]))
    server.route(type(bundle)(bundle.document, {**bundle.files, TWIN_FILE: twin}).write(server.store))
    server.await_error("model.twin has the SHA-256")


def test_a_server_of_compiled_programs_loads_nothing_of_scikit_learn(
    titles_server: ServerProcess, titles_client: httpx.Client
) -> None:
    state = titles_server.state()
    assert (state.compiled, state.not_compiled_because) == (True, None)
    series = 'modelyard_server_model_compiled{model="titles",role="champion",version="1"} 1.0'
    assert series in titles_client.get("/metrics").text
    process = titles_server.process
    assert process is not None
    mapped = Path(f"/proc/{process.pid}/maps").read_text()
    assert "/numpy/" in mapped
    assert not [name for name in ("/sklearn/", "/scipy/", "/pyarrow/") if name in mapped]


def test_a_changed_document_is_refused(server: ServerProcess) -> None:
    routed = build_bundle(iris()).write(server.store)
    server.route(routed.model_copy(update={"model_digest": "sha256:" + "0" * 64}))
    server.await_error("the route says sha256:000")


def test_a_model_that_answers_otherwise_than_in_training_is_refused(server: ServerProcess) -> None:
    fitted = iris()
    golden = {"rows": fitted.rows[:1], "predictions": ["virginica"]}
    files = {MODEL_FILE: build_bundle(fitted).files[MODEL_FILE], GOLDEN_FILE: canonical_json(golden)}
    server.route(make_bundle(fitted, files).write(server.store))
    server.await_error("golden request 0 is answered with 'setosa', training answered 'virginica'")


def test_a_heavy_model_leaves_the_server_responsive(minio_server: S3Server, tmp_path: Path) -> None:
    with running_server(tmp_path, minio_server, fresh_project(), "forest") as server:
        fitted = forest(trees=400)
        server.await_route(server.route(build_bundle(fitted).write(server.store)))
        rows = fitted.rows * 2000

        def ask() -> None:
            with server.client() as client:
                assert client.post("/predict", json={"rows": rows}).status_code == 200

        slow = threading.Thread(target=ask)
        slow.start()
        with server.client() as client:
            start = time.monotonic()
            assert client.get("/v2/health/ready").status_code == 200
            assert time.monotonic() - start < 2.0
        slow.join(60)


def test_sigterm_turns_readiness_off_answers_on_and_ends_with_status_0(
    minio_server: S3Server, tmp_path: Path
) -> None:
    with running_server(tmp_path, minio_server, fresh_project(), drain_seconds=2.0) as server:
        server.await_route(server.route(build_bundle(iris()).write(server.store)))
        assert server.process is not None
        with server.client() as client:
            assert client.post("/predict", json=FLOWER).status_code == 200
            server.process.terminate()
            until(lambda: client.get("/v2/health/ready").status_code == 503, 2, "readiness off")
            answer = client.post("/predict", json=FLOWER)
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert server.process.wait(20) == 0
