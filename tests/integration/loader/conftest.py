"""A project of its own for each test."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.bad_inputs import Scene, scene
from tests.support.loading import LoaderRun
from tests.support.postgres import PostgresServer
from tests.support.s3 import S3Server

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def new_project() -> Callable[[], str]:
    """Names that no other test has."""
    return lambda: f"project{next(_NUMBERS)}"


@pytest.fixture
def loader(
    postgres_server: PostgresServer, minio_server: S3Server, new_project: Callable[[], str], tmp_path: Path
) -> LoaderRun:
    """The loader in an empty project, on the store that the charts install."""
    return LoaderRun(tmp_path, postgres_server, minio_server, postgres_server.make_project(new_project()))


@pytest.fixture
def loader_on_each_store(
    postgres_server: PostgresServer, s3_server: S3Server, new_project: Callable[[], str], tmp_path: Path
) -> LoaderRun:
    """The loader in an empty project, on each store in turn."""
    return LoaderRun(tmp_path, postgres_server, s3_server, postgres_server.make_project(new_project()))


@pytest.fixture(scope="session")
def houses(
    postgres_server: PostgresServer,
    minio_server: S3Server,
    new_project: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    """A project with one good Dataset, for all that is refused and so changes nothing."""
    project = postgres_server.make_project(new_project())
    run = LoaderRun(tmp_path_factory.mktemp("houses"), postgres_server, minio_server, project)
    with scene(run) as ready:
        yield ready
