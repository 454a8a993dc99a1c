"""Credentials as the chart mounts them, and a plan for the servers of the tests."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from modelyard_provisioner.credentials import Credentials
from modelyard_provisioner.plan import Plan, Postgres, Store, Tracking
from tests.support.postgres import DATABASE, PostgresServer
from tests.support.s3 import S3Server

_NUMBERS = itertools.count(1)
KINDS = {"postgres": "{}", "s3": "modelyard-{}", "mlflow": "{}"}


@pytest.fixture(scope="session")
def new_name() -> Callable[[], str]:
    """Names of projects, roles and databases that no other test has."""
    return lambda: f"tenant-{next(_NUMBERS)}"


def mounted(directory: Path, files: Mapping[str, str]) -> Credentials:
    """Credentials from the contents of their files."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return Credentials(directory)


def files_of_project(name: str, generation: int = 1) -> dict[str, str]:
    """The six files of a project; another generation has other passwords."""
    return {
        f"projects/{name}.postgres-username": name,
        f"projects/{name}.postgres-password": f"postgres {name} {generation}",
        f"projects/{name}.s3-access-key": f"modelyard-{name}",
        f"projects/{name}.s3-secret-key": f"store-{name}-{generation}",
        f"projects/{name}.mlflow-username": name,
        f"projects/{name}.mlflow-password": f"tracking {name} {generation}",
    }


def plan_for(
    projects: list[str], postgres: PostgresServer, store: S3Server, databases: list[str] | None = None
) -> Plan:
    """A plan for servers on the loopback."""
    return Plan(
        projects=projects,
        postgres=Postgres(
            host="127.0.0.1",
            port=postgres.port,
            sslmode="disable",
            private=True,
            database=DATABASE,
            tracking_databases=databases or [],
        ),
        store=Store(endpoint_url=store.url, bucket="provisioned", make_users=store.backend.name == "minio"),
        tracking=Tracking(url="http://127.0.0.1:1"),
        timeout_seconds=30,
    )
