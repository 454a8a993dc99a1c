"""The command line beside a real API server, as a person at a terminal has it."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bringup.context import Context
from bringup.tools import ensure_tools
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import SECRET, Document, KubeApi, kube_api
from tests.support.mlflow import MLflowProject, MLflowServer
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


@pytest.fixture(scope="module")
def project(mlflow_server: MLflowServer, kube: KubeApi) -> MLflowProject:
    """The namespace's workspace, its login where pods have it."""
    made = mlflow_server.make_project(NAMESPACE)
    login = {"mlflow-username": made.login.username, "mlflow-password": made.login.password}
    kube.apply(
        SECRET, _secret({key: base64.b64encode(text.encode()).decode() for key, text in login.items()})
    )
    return made


def _secret(data: dict[str, str]) -> Document:
    metadata = {"name": "modelyard-project", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
