"""A project of its own for each test."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.mlflow import MLflowServer
from tests.support.postgres import PostgresServer, Project
from tests.support.s3 import S3Server
from tests.support.training import TrainerRun

_NUMBERS = itertools.count(1)


@pytest.fixture
def new_trainer(
    minio_server: S3Server, mlflow_server: MLflowServer, tmp_path: Path
) -> Callable[[], TrainerRun]:
    """Trainers, each in an empty project."""
    return lambda: TrainerRun(tmp_path, minio_server, mlflow_server.make_project(f"training{next(_NUMBERS)}"))


@pytest.fixture
def project(postgres_server: PostgresServer) -> Project:
    """An empty project in Postgres."""
    return postgres_server.make_project(f"tuning-{next(_NUMBERS)}")


@pytest.fixture
def trainer(new_trainer: Callable[[], TrainerRun]) -> TrainerRun:
    """The trainer in an empty project."""
    return new_trainer()
