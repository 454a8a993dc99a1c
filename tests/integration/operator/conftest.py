"""An operator on a control plane, one namespace a test."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import KubeApi, kube_api
from tests.support.operating import PLATFORM, Kubelet, Operator, empty, install, running_operator

POOL = [f"project-{number:02d}" for number in range(6)]
_NEXT = itertools.cycle(POOL)


@dataclass(frozen=True)
class Project:
    """A namespace that no other test uses, served by the operator."""

    api: KubeApi
    namespace: str
    kubelet: Kubelet


@pytest.fixture(scope="session")
def kube(control_plane: ControlPlane) -> Iterator[KubeApi]:
    with kube_api(control_plane.kubeconfig) as api:
        install(api, [PLATFORM, *POOL])
        yield api


@pytest.fixture(scope="session")
def operator(
    control_plane: ControlPlane, kube: KubeApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """The operator that most tests share."""
    assert kube.ready()
    directory: Path = tmp_path_factory.mktemp("operator")
    with running_operator(control_plane, directory, POOL) as running:
        yield running


@pytest.fixture
def project(kube: KubeApi, operator: Operator) -> Iterator[Project]:
    """An empty namespace of the shared operator."""
    assert operator.is_ready()
    namespace = next(_NEXT)
    yield Project(kube, namespace, Kubelet(kube, namespace))
    empty(kube, namespace)
