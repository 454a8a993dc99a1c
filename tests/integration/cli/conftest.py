"""The command line beside a real API server, as a person at a terminal has it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bringup.context import Context
from bringup.tools import ensure_tools
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import KubeApi, kube_api
from tests.support.operating import install

NAMESPACE = "terminal"


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[KubeApi]:
    with kube_api(control_plane.kubeconfig) as api:
        install(api, [NAMESPACE])
        yield api


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The program itself."""
    return ensure_tools(Context.here(), ["kubectl"])["kubectl"]


@pytest.fixture
def signed_in(control_plane: ControlPlane, kubectl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubectl on the PATH and a kubeconfig that it finds."""
    monkeypatch.setenv("PATH", f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
