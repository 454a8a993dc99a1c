"""A server with a model, for all tests of a module that do not change it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.bundles import build_bundle, build_compiled, iris, titles
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server
from tests.support.waiting import until


@pytest.fixture(scope="session")
def iris_server(minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serves version 3 of a classifier of flowers by its compiled program, with version 2 before it by scikit-learn."""
    # In an interpreter of its own, which has no more on its path than the image.
    with running_server(tmp_path_factory.mktemp("iris"), minio_server, fresh_project(), cold=True) as server:
        champion = build_compiled(iris()).write(server.store, "3")
        previous = build_bundle(iris(seed=1)).write(server.store, "2")
        server.await_route(server.route(champion, previous))
        with server.client() as asking:
            # The way back is held a little later: scikit-learn is imported for it.
            until(lambda: asking.get("/v2/models/iris/versions/2").is_success, 60, "version 2 being held")
        yield server


@pytest.fixture(scope="session")
def titles_server(
    minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """Serves version 1 of a model that reads a text beside numbers, by its compiled program."""
    directory = tmp_path_factory.mktemp("titles")
    with running_server(directory, minio_server, fresh_project(), "titles", lean=True) as server:
        server.await_route(server.route(build_compiled(titles()).write(server.store, "1")))
        yield server


@pytest.fixture
def client(iris_server: ServerProcess) -> Iterator[httpx.Client]:
    """A client of the flowers."""
    with iris_server.client() as opened:
        yield opened


@pytest.fixture
def titles_client(titles_server: ServerProcess) -> Iterator[httpx.Client]:
    """A client of the titles."""
    with titles_server.client() as opened:
        yield opened
