"""Releases that follow one another in a real API server: what stays the same, and what is made anew.

There are no nodes, so nothing runs; Helm's part needs none.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bringup.context import Context
from bringup.tools import ensure_tools
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import JOB, NAMESPACE, SECRET, Document, KubeApi, kube_api
from tests.support.kubectl import Command
from tests.support.rendering import CHART

PROJECT = "housing"
VALUES: Document = {"projects": [{"name": PROJECT, "createNamespace": False}]}
_NUMBERS = itertools.count(1)
HELMS_OWN = "helm.sh/release.v1"


class Release:
    """One release of the chart in a namespace of its own."""

    def __init__(self, helm: Command, api: KubeApi, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self._helm = helm

    def upgrade(self, values: Document) -> str:
        """Installs or upgrades, without waiting; returns the notes."""
        return self._helm.run(*self._words(), text=json.dumps(values))

    def refusal(self, values: Document) -> str:
        """What is said about values that are not accepted."""
        done = self._helm.attempt(*self._words(), text=json.dumps(values))
        assert done.returncode != 0
        return done.stderr

    def uninstall(self) -> None:
        self._helm.run("uninstall", "modelyard", "--namespace", self.namespace)

    def _words(self) -> tuple[str | Path, ...]:
        where = ("--namespace", self.namespace, "--values", "-")
        return ("upgrade", "--install", "modelyard", CHART, *where)

    def secrets(self, *namespaces: str) -> dict[str, Document]:
        """All values that were generated."""
        return {
            f"{namespace}/{secret['metadata']['name']}": secret["data"]
            for namespace in namespaces
            for secret in self.api.items(SECRET, namespace)
            if secret.get("type") != HELMS_OWN
        }

    def job(self) -> Document:
        """The one provisioning Job."""
        (job,) = self.api.items(JOB, self.namespace)
        return job


@pytest.fixture(scope="module")
def api_and_helm(judge: ControlPlane) -> Iterator[tuple[KubeApi, Command]]:
    with kube_api(judge.kubeconfig) as api:
        yield api, Command(ensure_tools(Context.here(), ["helm"])["helm"], judge.kubeconfig)


@pytest.fixture
def release(api_and_helm: tuple[KubeApi, Command]) -> Iterator[Release]:
    """A release in a namespace that no other test has; the project's namespace is there already."""
    api, helm = api_and_helm
    namespace = f"platform-{next(_NUMBERS)}"
    for name in (namespace, PROJECT):
        api.apply(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    release = Release(helm, api, namespace)
    yield release
    release.uninstall()


def test_generated_secrets_survive_upgrades(release: Release) -> None:
    release.upgrade(VALUES)
    before = release.secrets(release.namespace, PROJECT)
    assert len(before) == 7
    release.upgrade({**VALUES, "operator": {"logLevel": "DEBUG"}})
    assert release.secrets(release.namespace, PROJECT) == before


def test_generated_secrets_survive_a_removal_and_a_new_installation(release: Release) -> None:
    release.upgrade(VALUES)
    before = release.secrets(release.namespace, PROJECT)
    release.uninstall()
    assert release.secrets(PROJECT) == {}
    release.upgrade(VALUES)
    assert release.secrets(release.namespace, PROJECT) == before


def test_a_project_s_lost_secret_comes_back_as_it_was(release: Release) -> None:
    release.upgrade(VALUES)
    before = release.secrets(PROJECT)
    release.api.delete(SECRET, PROJECT, "modelyard-project")
    release.upgrade({**VALUES, "operator": {"logLevel": "DEBUG"}})
    assert release.secrets(PROJECT) == before


def test_the_provisioning_stays_until_it_would_do_something_else(release: Release) -> None:
    release.upgrade(VALUES)
    first = release.job()["metadata"]["uid"]
    release.upgrade({**VALUES, "operator": {"logLevel": "DEBUG"}})
    assert release.job()["metadata"]["uid"] == first
    release.upgrade({**VALUES, "bucket": "another"})
    assert release.job()["metadata"]["uid"] != first


def test_a_provisioning_that_failed_is_tried_again_by_the_next_upgrade(release: Release) -> None:
    release.upgrade(VALUES)
    job = release.job()
    conditions = [{"type": kind, "status": "True"} for kind in ("FailureTarget", "Failed")]
    status = {"status": {"startTime": "2026-01-01T00:00:00Z", "conditions": conditions}}
    name = f"{job['metadata']['name']}/status"
    assert release.api.merge(JOB, release.namespace, name, status).is_success
    release.upgrade(VALUES)
    assert release.job()["metadata"]["uid"] != job["metadata"]["uid"]


def test_a_shared_store_s_credential_is_read_where_it_is(release: Release) -> None:
    external = {"endpointUrl": "https://s3.example.org", "credentialsSecret": "store"}
    values = {**VALUES, "minio": {"enabled": False, "external": external}}
    assert f"no Secret store in the namespace {release.namespace}" in release.refusal(values)
    data = {"access-key": "YWNjZXNz", "secret-key": "c2VjcmV0"}
    metadata = {"name": "store", "namespace": release.namespace}
    release.api.apply(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    notes = release.upgrade(values)
    assert release.secrets(PROJECT)[f"{PROJECT}/modelyard-project"]["s3-secret-key"] == "c2VjcmV0"
    assert "All projects share the one in the Secret" in notes
    assert "Pod Security is not enforced" in notes
