"""Fixtures that every layer of tests may ask for, and which tests belong together when they are shared out."""

from typing import Any

import pytest

pytest_plugins = [
    "tests.support.controlplane",
    "tests.support.mlflow",
    "tests.support.postgres",
    "tests.support.promoting",
    "tests.support.s3",
    "tests.support.thorough",
]

_TOGETHER = {
    "tests/integration/api/": "control plane",
    "tests/integration/cli/": "control plane",
    "tests/integration/loader/test_guards.py": "mlflow",
    "tests/integration/loader/test_leftovers": "mlflow",
    "tests/integration/loader/test_retention.py": "mlflow",
    "tests/integration/operator/": "control plane",
    "tests/integration/provisioner/test_tracking.py": "mlflow",
    "tests/integration/server/": "server",
    "tests/integration/test_control_plane.py": "control plane",
    "tests/integration/trainer/": "mlflow",
}
"""By place: what there is one of, or what takes long to start; one process runs all tests that need it."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:  # noqa: ANN401  xdist's type
    """Shares out by ``_TOGETHER`` where groups are asked for; every other test goes to whoever is free.

    Groups by xdist's own mark need the private name of a test's id, which pytest 9.2 no longer has.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling  # noqa: PLC0415  not there where tests run one after the other

    class ByPlace(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByPlace(config, log)


def group_of(test: str) -> str:
    """Name of a test's group; a test that belongs to none is a group by itself."""
    return next((group for place, group in _TOGETHER.items() if test.startswith(place)), test)
