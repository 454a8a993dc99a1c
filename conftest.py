"""Fixtures that every layer of tests may ask for, and what belongs together when tests are shared out."""

from collections.abc import Iterable

import pytest

pytest_plugins = [
    "tests.support.controlplane",
    "tests.support.mlflow",
    "tests.support.postgres",
    "tests.support.promoting",
    "tests.support.s3",
]

# Servers that take long to start, and the cluster that there is one of: one process runs all tests that need it.
_ONCE = ("kubeconfig", "control_plane", "mlflow_server")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Iterable[pytest.Function]) -> None:
    """Names the groups that `--dist loadgroup` keeps together; every other test goes to whoever is free."""
    for item in items:
        needed = next((server for server in _ONCE if server in item.fixturenames), None)
        if needed:
            item.add_marker(pytest.mark.xdist_group(needed))
