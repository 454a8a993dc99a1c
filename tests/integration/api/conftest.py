"""The API server as the judge of what may be written."""

from collections.abc import Iterator

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import KubeApi, kube_api
from tests.support.operating import install

NAMESPACE = "acceptance"


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[KubeApi]:
    with kube_api(control_plane.kubeconfig) as api:
        install(api, [NAMESPACE])
        yield api
