"""The cluster that `make cluster images install` made, and what several files of tests share on it."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bringup.context import Context
from bringup.tools import ensure_tools
from tests.support.cluster import NodeMachine
from tests.support.kubeapi import KubeApi, kube_api
from tests.support.kubectl import Command
from tests.support.manifests import PROJECT, Project
from tests.support.platform import Platform
from tests.support.releases import Helm, projects_of

# An operator that is killed in each phase is followed by one that first waits for the end of its Lease.
SHORT_LEASE = [
    {"name": f"MODELYARD_LEASE__{name}", "value": value}
    for name, value in (("DURATION", "5"), ("RENEW_DEADLINE", "4"), ("RETRY", "1"))
]


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    named = os.environ.get("MODELYARD_KUBECONFIG")
    file = Path(named) if named else Context.here().paths.kubeconfig
    if not file.exists():
        pytest.fail(f"{file} does not exist: run 'make cluster images install' first")
    return file


@pytest.fixture(scope="session")
def kubectl(kubeconfig: Path) -> Command:
    return Command(ensure_tools(Context.here(), ["kubectl"])["kubectl"], kubeconfig)


@pytest.fixture(scope="session")
def helm(kubeconfig: Path) -> Helm:
    return Helm(Command(ensure_tools(Context.here(), ["helm"])["helm"], kubeconfig))


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Iterator[KubeApi]:
    with kube_api(kubeconfig) as client:
        yield client


@pytest.fixture(scope="session")
def node(api: KubeApi) -> NodeMachine:
    return NodeMachine.of(api)


@pytest.fixture(scope="session")
def began() -> datetime:
    """When this run began, by the clock that the node shares."""
    return datetime.now(tz=UTC)


@pytest.fixture(scope="session")
def platform(api: KubeApi, kubectl: Command, helm: Helm, began: datetime) -> Platform:
    """The installed release, serving a project of its own for these tests beside those that it served before."""
    del began
    platform = Platform(api, kubectl)
    before = projects_of(helm, platform)
    if PROJECT not in before:
        values = {
            "projects": [{"name": name} for name in (*before, PROJECT)],
            "operator": {"env": SHORT_LEASE},
            "prometheus": {"scrapeInterval": "5s"},
        }
        helm.upgrade(platform, values)
    platform.await_operator()
    Project(api, PROJECT).empty()
    return platform
