"""The control plane that other integration tests stand on."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from bringup.context import Context
from bringup.tools import ensure_tools
from tests.support.controlplane import ControlPlane
from tests.support.waiting import until


@pytest.fixture(scope="module")
def kubectl() -> Path:
    return ensure_tools(Context.here(), ["kubectl"])["kubectl"]


def run(
    kubectl: Path, kubeconfig: Path, *words: str, document: object = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [kubectl, *words],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        input=json.dumps(document) if document else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_namespace_is_made_and_goes_when_it_is_deleted(control_plane: ControlPlane, kubectl: Path) -> None:
    made = run(kubectl, control_plane.kubeconfig, "create", "namespace", "short-lived")
    assert made.returncode == 0, made.stderr
    deleted = run(kubectl, control_plane.kubeconfig, "delete", "namespace", "short-lived", "--timeout=30s")
    assert deleted.returncode == 0, deleted.stderr


def test_children_go_with_their_owner(control_plane: ControlPlane, kubectl: Path) -> None:
    admin = control_plane.kubeconfig
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner", "namespace": "default"}}
    created = run(kubectl, admin, "create", "-f", "-", "-o", "json", document=owner)
    uid = json.loads(created.stdout)["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    child = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "child", "namespace": "default", "ownerReferences": [reference]},
    }
    assert run(kubectl, admin, "create", "-f", "-", document=child).returncode == 0
    run(kubectl, admin, "delete", "configmap", "owner", "-n", "default")
    until(
        lambda: "NotFound" in run(kubectl, admin, "get", "configmap", "child", "-n", "default").stderr,
        what="the child's deletion",
    )


def test_an_identity_without_a_role_is_refused(control_plane: ControlPlane, kubectl: Path) -> None:
    stranger = control_plane.kubeconfig_of("system:serviceaccount:default:stranger")
    refused = run(kubectl, stranger, "get", "secrets", "-n", "default")
    assert refused.returncode != 0
    assert "system:serviceaccount:default:stranger" in refused.stderr
