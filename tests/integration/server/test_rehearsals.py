"""Versions whose loading ends the process that does it: that is one which answers nobody, and clients lose nothing."""

import itertools
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline

from modelyard_api.contract.bundle import MODEL_FILE
from modelyard_api.contract.route import RoutedModel
from modelyard_api.contract.steps import CREDENTIALS_VARIABLE, S3_ACCESS_KEY, S3_SECRET_KEY, ServerSettings
from modelyard_runtime.errors import PlatformError
from modelyard_server.errors import BundleError
from modelyard_server.models.arriving import Wanted
from modelyard_server.models.memory import Room
from modelyard_server.models.rehearsal import Rehearsals
from modelyard_server.models.turns import Turns
from tests.support.asking import Clients
from tests.support.broken import ROW, sound
from tests.support.bundles import BuiltBundle, build_bundle, build_compiled, forest
from tests.support.gate import Gate
from tests.support.ports import free_port
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server
from tests.support.waiting import until

TRIED = "is loaded by a process of its own first"
MIB = 1024 * 1024
_POINTS = 1_000_000
"""Three numbers each, of eight bytes."""


def compiled(trees: int = 2) -> BuiltBundle:
    """A sound model that needs no scikit-learn, so that it is there soon."""
    return build_compiled(forest(trees=trees))


@pytest.fixture
def project() -> str:
    return fresh_project()


@contextmanager
def held_at(
    directory: Path,
    minio: S3Server,
    project: str,
    held: RoutedModel,
    processes: int = 1,
    file: str = "",
) -> Iterator[tuple[ServerProcess, Gate]]:
    """A server, and a gate before the store at which its requests for a bundle, or for one of its files, wait."""
    marker = f"{held.model_digest.removeprefix('sha256:')}/{file}".encode()
    with Gate.before(minio.port, marker) as gate:
        options = {"processes": processes}
        server = ServerProcess(directory, minio, project, "m", options, s3_url=gate.url)
        try:
            yield server, gate
        finally:
            server.kill()


def trying(server: ServerProcess, gate: Gate) -> int:
    """Id of the process that waits for the bundle."""
    assert gate.reached.wait(120)
    (child,) = server.rehearsals()
    return child


@pytest.mark.parametrize("processes", [1, 2])
def test_a_version_that_ends_the_process_which_tries_it_is_refused_and_costs_no_request(
    minio_server: S3Server, project: str, tmp_path: Path, processes: int
) -> None:
    store = minio_server.store(project)
    good, deadly = compiled().write(store, "1"), compiled(3).write(store, "2")
    with held_at(tmp_path, minio_server, project, deadly, processes) as (server, gate):
        server.start()
        server.await_route(server.route(good))
        assert TRIED not in server.log
        with Clients(server, ROW, threads=2, pause=0.05) as clients:
            server.route(deadly, good)
            os.kill(trying(server, gate), signal.SIGSEGV)
            told = server.await_error("apart from all requests, was ended by SIGSEGV")
            asked = clients.codes[200]
            until(lambda: clients.codes[200] > asked + 20, what="requests afterwards")
        assert set(clients.codes) == {200}, clients.codes
        assert set(clients.versions) == {"1"}
        assert told.version == "1"
        assert server.log.count(TRIED) == 1, "what one process was told is not found out again by the other"
        assert server.rehearsals() == []


def test_a_version_that_takes_more_memory_than_there_is_is_refused_and_costs_no_request(
    minio_server: S3Server, project: str, tmp_path: Path
) -> None:
    store = minio_server.store(project)
    points = np.random.default_rng(0).normal(size=(_POINTS, 3))
    greedy = Pipeline([("estimator", KNeighborsRegressor(1, algorithm="brute").fit(points, points[:, 0]))])
    good = sound().write(store, "1")
    large = build_bundle(replace(forest(trees=2), model=greedy)).write(store, "2")
    with held_at(tmp_path, minio_server, project, large, file=MODEL_FILE) as (server, gate):
        server.start()
        server.await_route(server.route(good))
        with Clients(server, ROW, threads=2, pause=0.05) as clients:
            server.route(large, good)
            child = trying(server, gate)
            most = _data(child) + 24 * MIB
            resource.prlimit(child, resource.RLIMIT_DATA, (most, most))
            gate.release()
            # Whether it is an exception or the end of the process depends on who asks for the byte too many.
            told = server.await_error("memory")
        assert server.rehearsals() == []
        assert set(clients.codes) == {200}, clients.codes
        assert told.version == "1"


def test_a_pod_without_memory_left_tries_nothing(
    minio_server: S3Server, project: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"the pod has left, which are 10 MiB; raise spec\.serving"):
        tried_with(minio_server, project, tmp_path, lambda: 10 * MIB)


def test_who_tries_a_version_is_stopped_when_the_others_run_short_of_memory(
    minio_server: S3Server, project: str, tmp_path: Path
) -> None:
    left = itertools.chain([1024 * MIB], itertools.repeat(20 * MIB))
    with pytest.raises(BundleError, match="which are 1024 MiB"):
        tried_with(minio_server, project, tmp_path, lambda: next(left))


def test_what_it_took_to_try_a_version_has_to_be_left_when_it_is_loaded(
    minio_server: S3Server, project: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"the model takes at least \d+ MiB .* the pod has 0 left"):
        tried_with(
            minio_server, project, tmp_path, lambda: 0 if list(tmp_path.glob("*.json")) else 1024 * MIB
        )


def test_a_store_that_does_not_answer_is_no_fault_of_the_version(
    minio_server: S3Server, project: str, tmp_path: Path
) -> None:
    with pytest.raises(PlatformError, match="did not answer"):
        tried_with(minio_server, project, tmp_path, lambda: None, f"http://127.0.0.1:{free_port()}")


def test_a_version_that_is_not_wanted_any_more_is_not_tried_to_its_end(
    minio_server: S3Server, project: str, tmp_path: Path
) -> None:
    store = minio_server.store(project)
    good, slow = compiled().write(store, "1"), compiled(3).write(store, "2")
    with held_at(tmp_path, minio_server, project, slow) as (server, gate):
        server.start()
        first = server.route(good)
        server.await_route(first)
        server.route(slow, good)
        child = trying(server, gate)
        server.await_route(server.route(good))
        until(lambda: not Path(f"/proc/{child}").exists(), 10, "the end of the process that tried it")


def test_a_server_starts_without_a_rehearsal_unless_its_version_ended_the_process_before(
    minio_server: S3Server, project: str, tmp_path: Path
) -> None:
    deadly = compiled().write(minio_server.store(project), "1")
    with held_at(tmp_path, minio_server, project, deadly) as (server, gate):
        server.route(deadly)
        server.start()
        assert gate.reached.wait(120)
        assert server.rehearsals() == []
        server.kill()
        server.start()
        child = until(lambda: next(iter(server.rehearsals()), None), 60, "a rehearsal")
        os.kill(child, signal.SIGKILL)
        server.await_error("was ended by SIGKILL", 60)
        gate.release()
    with running_server(tmp_path / "new", minio_server, project, "m") as fresh:
        fresh.await_route(fresh.route(deadly))
        assert TRIED not in fresh.log


def test_a_sound_version_is_tried_and_then_served(
    minio_server: S3Server, project: str, tmp_path: Path
) -> None:
    with running_server(tmp_path, minio_server, project, "m") as server:
        first, second = compiled().write(server.store, "1"), compiled(3).write(server.store, "2")
        server.await_route(server.route(first))
        server.await_route(server.route(second, first))
        assert server.log.count(TRIED) == 1
        server.await_route(server.route(first, second))
        assert server.log.count(TRIED) == 1, "what is held is not loaded again"


def tried_with(minio: S3Server, project: str, directory: Path, room: Room, url: str | None = None) -> None:
    """Loads a version while requests are answered, where this much memory is left."""
    store = minio.store(project)
    version = compiled().write(store, "1")
    for name, value in ((S3_ACCESS_KEY, minio.login.username), (S3_SECRET_KEY, minio.login.password)):
        (directory / name).write_text(value)
    settings = ServerSettings(promotion="p", project=project, model_name="m", s3=minio.endpoint(project, url))
    environment = {
        **os.environ,
        CREDENTIALS_VARIABLE: str(directory),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    Rehearsals(store, settings, Turns(directory), environment, room).load(Wanted(version, at_stake=True))


def _data(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
