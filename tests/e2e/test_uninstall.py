"""A second release on services outside of it, from its installation to the end of its last namespace.

The tests follow one another: what one leaves behind, the next one finds.
"""

import time
from collections.abc import Iterator

import pytest

from bringup.paths import REPOSITORY
from tests.support.kubeapi import (
    CRD,
    DATASET,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    PROMOTION,
    SECRET,
    TRAINING_JOB,
    KubeApi,
)
from tests.support.kubectl import Command
from tests.support.manifests import PROJECT, Project, dataset, promotion, training_job
from tests.support.platform import Platform
from tests.support.releases import CRDS, Helm
from tests.support.waiting import until

# With its fixtures, on a machine that does other things too.
pytestmark = pytest.mark.timeout(900)

OUTSIDE = REPOSITORY / "tests" / "data" / "outside.yaml"
OUTSIDE_NAMESPACE = "e2e-outside"
SECOND = "e2e-second"
GUEST = "e2e-guest"
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
BOUND_SECONDS = 90.0
SHORTEST_GRACE = 25.0
"""What does not end when it is told to is killed after at least 30 s."""
VALUES = {
    "projects": [{"name": GUEST}],
    "postgres": {
        "enabled": False,
        "external": {
            "host": f"postgres.{OUTSIDE_NAMESPACE}.svc",
            "sslmode": "disable",
            "adminSecret": "outside",
        },
    },
    "minio": {
        "enabled": False,
        "external": {
            "endpointUrl": f"http://store.{OUTSIDE_NAMESPACE}.svc:9000",
            "credentialsSecret": "outside",
        },
    },
    "prometheus": {"enabled": False},
}


@pytest.fixture(scope="module")
def second(platform: Platform, kubectl: Command, helm: Helm) -> Iterator[Platform]:
    """A release that runs neither a database nor a store of its own, with one project and live resources."""
    api = platform.api
    # A small node has no room for two platforms and everybody's servers.
    Project(api, PROJECT).empty()
    text = OUTSIDE.read_text()
    for part in ("postgres", "minio"):
        text = text.replace(f"modelyard/{part}:0.1.0", platform.image_of(part))
    kubectl.run("apply", "-f", "-", text=text)
    kubectl.run("wait", "-n", OUTSIDE_NAMESPACE, "pod", "--all", "--for=condition=Ready", "--timeout=120s")
    _with_credentials(api, kubectl)
    second = Platform(api, kubectl, SECOND, "second")
    try:
        helm.install_like(platform, second, VALUES)
        yield second
    finally:
        _cleared(api, helm)


def _with_credentials(api: KubeApi, kubectl: Command) -> None:
    kubectl.run("apply", "-f", "-", text=f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {SECOND}}}")
    outside = api.read(SECRET, OUTSIDE_NAMESPACE, "outside")
    assert outside
    metadata = {"name": "outside", "namespace": SECOND}
    api.apply(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": outside["data"]})


def _cleared(api: KubeApi, helm: Helm) -> None:
    if helm.namespace_of("second"):
        helm.uninstall(SECOND, "second")
    for namespace in (GUEST, SECOND, OUTSIDE_NAMESPACE):
        api.delete(NAMESPACE, None, namespace)


@pytest.fixture(scope="module")
def guest(second: Platform) -> Project:
    """The project of the second release, with one of each kind alive."""
    project = Project(second.api, GUEST)
    project.apply(dataset("iris"))
    project.apply(training_job("tree"))
    project.apply(promotion("tree-production", "tree"))
    project.await_true(PROMOTION, "tree-production", "Ready")
    return project


def test_a_release_on_outside_services_brings_a_model_to_its_server(second: Platform, guest: Project) -> None:
    assert [v.rows for v in guest.dataset("iris").status.variants] == [150]
    with second.server(GUEST, "tree-production") as server:
        answer = server.post("/predict", json={"rows": [FLOWER]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == ["setosa"]


def test_definitions_and_resources_stay_when_their_release_goes_first(
    platform: Platform, helm: Helm, guest: Project
) -> None:
    namespace = helm.namespace_of(CRDS)
    assert namespace, f"{CRDS} is not installed by Helm"
    helm.uninstall(namespace, CRDS)
    try:
        for plural in ("datasets", "trainingjobs", "modelpromotions"):
            assert platform.api.read(CRD, None, f"{plural}.modelyard.dev")
        guest.await_true(PROMOTION, "tree-production", "Ready")
        assert guest.api.read(TRAINING_JOB, GUEST, "tree")
    finally:
        helm.install_crds(namespace)


def test_the_platform_goes_while_its_resources_live_and_models_go_on_answering(
    second: Platform, guest: Project, helm: Helm
) -> None:
    began = time.monotonic()
    helm.uninstall(SECOND, "second")
    assert time.monotonic() - began < BOUND_SECONDS
    assert not second.operator_pod()
    assert guest.api.read(DATASET, GUEST, "iris")
    with second.server(GUEST, "tree-production") as server:
        assert server.post("/predict", json={"rows": [FLOWER]}).status_code == 200
    until(
        lambda: not second.api.items(POD, SECOND),
        SHORTEST_GRACE,
        "every part having ended when it was told to",
    )


def test_a_resource_goes_at_once_while_there_is_no_operator(guest: Project, kubectl: Command) -> None:
    kubectl.run("delete", "modelpromotion", "tree-production", "-n", GUEST, "--timeout=30s")
    until(
        lambda: not guest.api.items(DEPLOYMENT, GUEST, "modelyard.dev/promotion=tree-production"),
        60,
        "its Deployment being collected",
    )


def test_namespaces_of_the_platform_and_of_live_resources_go_while_there_is_no_operator(
    second: Platform, guest: Project, kubectl: Command
) -> None:
    assert second.api.read(NAMESPACE, None, SECOND)
    assert guest.api.read(TRAINING_JOB, GUEST, "tree")
    kubectl.run("delete", "namespace", GUEST, SECOND, f"--timeout={BOUND_SECONDS:.0f}s")
    assert guest.api.read(NAMESPACE, None, GUEST) is None
    assert guest.api.read(NAMESPACE, None, SECOND) is None
