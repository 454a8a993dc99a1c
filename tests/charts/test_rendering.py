"""What the charts render, as a whole: compared with what was rendered before, and put before a real API server."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bringup.context import Context
from bringup.paths import REPOSITORY
from bringup.tools import ensure_tools
from modelyard_api.crd.definition import KINDS
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import NAMESPACE, POD, Kind, KubeApi, kube_api
from tests.support.rendering import CRD_CHART, RELEASE, Document, Rendered, Renderer
from tests.support.rendering import NAMESPACE as PLATFORM
from tests.support.schemas import LOCATION, write_schemas

SNAPSHOTS = Path(__file__).parent / "snapshots"
SAMPLES = REPOSITORY / "manifests" / "samples"
VALUES = Path(__file__).parent / "values"
_GROUPS = {
    "v1": "api/v1",
    "apps/v1": "apis/apps/v1",
    "batch/v1": "apis/batch/v1",
    "networking.k8s.io/v1": "apis/networking.k8s.io/v1",
    "rbac.authorization.k8s.io/v1": "apis/rbac.authorization.k8s.io/v1",
    "apiextensions.k8s.io/v1": "apis/apiextensions.k8s.io/v1",
}
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def api(judge: ControlPlane) -> Iterator[KubeApi]:
    with kube_api(judge.kubeconfig) as client:
        yield client


@pytest.fixture(scope="module")
def schemas(api: KubeApi, renderer: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The API server's own schemas, those of our definitions among them."""
    folder = tmp_path_factory.mktemp("schemas")
    for document in renderer.render(chart=CRD_CHART).documents:
        api.apply(kind_of(document), document)
    write_schemas(api, folder, [kind.name for kind in KINDS])
    return folder


def kubeconform(schemas: Path, text: str) -> "subprocess.CompletedProcess[str]":
    program = ensure_tools(Context.here(), ["kubeconform"])["kubeconform"]
    return subprocess.run(
        [program, "-strict", "-summary", "-schema-location", f"{schemas}/{LOCATION}", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def kind_of(document: Document) -> Kind:
    """Where the API server keeps such an object."""
    name = document["kind"].lower()
    plural = {"networkpolicy": "networkpolicies"}.get(name, f"{name}s")
    namespaced = document["kind"] not in ("Namespace", "CustomResourceDefinition")
    return Kind(_GROUPS[document["apiVersion"]], plural, namespaced=namespaced)


@pytest.mark.parametrize("name", ["default", "elsewhere"])
def test_the_rendering_is_what_it_was(renderer: Renderer, name: str) -> None:
    """Run with MODELYARD_UPDATE_SNAPSHOTS=1 to accept a change, and look at the difference."""
    file = SNAPSHOTS / f"{name}.yaml"
    found = renderer.render(yaml.safe_load((VALUES / f"{name}.yaml").read_text())).snapshot()
    if os.environ.get("MODELYARD_UPDATE_SNAPSHOTS"):
        file.write_text(found)
    assert found == file.read_text()


def test_a_real_api_server_accepts_every_object(api: KubeApi, rendered: Rendered) -> None:
    for namespace in {document["metadata"].get("namespace") for document in rendered.documents} - {None}:
        ensure_namespace(api, namespace)
    for document in rendered.documents:
        answer = api.attempt(kind_of(document), document, dry_run=True)
        assert answer.is_success, f"{document['kind']} {document['metadata']['name']}: {answer.text}"


def ensure_namespace(api: KubeApi, name: str) -> None:
    """A namespace that enforces what the platform's and the projects' do."""
    metadata = {"name": name, "labels": RESTRICTED}
    api.apply(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def test_pod_security_restricted_admits_every_pod(api: KubeApi, rendered: Rendered) -> None:
    ensure_namespace(api, PLATFORM)
    for number, pod in enumerate(rendered.pods()):
        metadata = {**pod.metadata, "name": f"pod-{number}", "namespace": PLATFORM}
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod.spec}
        answer = api.attempt(POD, document, dry_run=True)
        assert answer.is_success, f"{pod.owner}: {answer.text}"


def test_pod_security_restricted_refuses_a_pod_that_could_write_its_way_out(
    api: KubeApi, default: Rendered
) -> None:
    ensure_namespace(api, PLATFORM)
    spec = {**default.pod("operator").spec, "securityContext": {}, "hostNetwork": True}
    metadata = {"name": "bad", "namespace": PLATFORM}
    answer = api.attempt(
        POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, dry_run=True
    )
    assert answer.status_code == 403
    assert "restricted" in answer.text


def test_the_definitions_are_accepted_and_kept(api: KubeApi, renderer: Renderer) -> None:
    definitions = renderer.render(chart=CRD_CHART).documents
    assert {d["spec"]["names"]["plural"] for d in definitions} == {kind.plural for kind in KINDS}
    for document in definitions:
        assert document["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        answer = api.attempt(kind_of(document), document, dry_run=True)
        assert answer.is_success, answer.text


def test_kubeconform_finds_no_unknown_field(schemas: Path, rendered: Rendered) -> None:
    done = kubeconform(schemas, "\n---\n".join(map(json.dumps, rendered.documents)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rendered.documents)} resources" in done.stdout


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_kubeconform_accepts_the_samples(schemas: Path, sample: Path) -> None:
    done = kubeconform(schemas, sample.read_text())
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubeconform_refuses_what_is_misspelt(schemas: Path) -> None:
    done = kubeconform(schemas, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nadta: {}\n")
    assert done.returncode == 1
    assert "adta" in done.stdout


def test_names_follow_the_release(renderer: Renderer) -> None:
    for document in renderer.render().documents:
        metadata = document["metadata"]
        if metadata.get("namespace") == PLATFORM:
            assert metadata["name"].startswith(f"{RELEASE}-"), metadata
        assert metadata["labels"]["app.kubernetes.io/instance"] == RELEASE
