"""What must not be seen is not seen, what must not be possible is refused, and no right is granted that is not used."""

import base64
import json
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.support.cluster import NodeMachine, Request
from tests.support.kubeapi import (
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    JOB,
    NAMESPACE,
    OWN_KINDS,
    POD,
    ROLE,
    SECRET,
    STATEFUL_SET,
    Document,
    KubeApi,
)
from tests.support.manifests import PROJECT
from tests.support.platform import Platform

SHORTEST_SECRET = 8
HTTP_CREATED = 201
HTTP_FORBIDDEN = 403
# Names that are no secrets stand beside those that are.
PUBLIC_KEYS = ("username", "access-key")
HELM_RECORD = "helm.sh/release.v1"
# A resource is read live only after a conflict, and a Job only where one of its name is there that no list has shown: no test
# can bring these about at will.
RARE = {("batch", "jobs", "get"), *(("modelyard.dev", kind.plural, "get") for kind in OWN_KINDS.values())}
PRIVILEGED: Document = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "intruder"},
    "spec": {"containers": [{"name": "c", "image": "i", "securityContext": {"privileged": True}}]},
}


@pytest.fixture(params=["platform", "project"])
def namespace(request: pytest.FixtureRequest, platform: Platform) -> str:
    return platform.namespace if request.param == "platform" else PROJECT


def secrets_of(api: KubeApi, namespaces: tuple[str, ...]) -> dict[str, str]:
    """Every value that must not be seen, by where it is kept."""
    found: dict[str, str] = {}
    for namespace in namespaces:
        for secret in api.items(SECRET, namespace):
            if secret.get("type") == HELM_RECORD:
                continue
            for key, encoded in (secret.get("data") or {}).items():
                value = base64.b64decode(encoded).decode(errors="replace").strip()
                if len(value) >= SHORTEST_SECRET and not key.endswith(PUBLIC_KEYS):
                    found[f"{namespace}/{secret['metadata']['name']}/{key}"] = value
    return found


def visible(api: KubeApi, namespaces: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """All that people and programs without a right to Secrets may read: objects, events and logs."""
    for namespace in namespaces:
        for kind in (*OWN_KINDS.values(), POD, JOB, DEPLOYMENT, STATEFUL_SET, CONFIG_MAP, EVENT):
            for item in api.items(kind, namespace):
                yield f"{kind.plural} {namespace}/{item['metadata']['name']}", json.dumps(item)
        for pod in api.items(POD, namespace):
            for container in pod["spec"]["containers"]:
                name = pod["metadata"]["name"]
                yield f"log of {namespace}/{name}", api.log(namespace, name, container["name"])


def test_no_secret_is_in_an_object_an_event_or_a_log(platform: Platform) -> None:
    namespaces = (platform.namespace, PROJECT)
    secrets = secrets_of(platform.api, namespaces)
    assert len(secrets) >= 4
    leaks = [
        f"{kept} in {place}"
        for place, text in visible(platform.api, namespaces)
        for kept, value in secrets.items()
        if value in text or base64.b64encode(value.encode()).decode() in text
    ]
    assert leaks == []


def test_the_search_for_secrets_finds_one_that_is_there(platform: Platform) -> None:
    text = json.dumps({"env": "canary-of-the-search"})
    assert "canary-of-the-search" in text
    assert any(place.startswith("log of") for place, _ in visible(platform.api, (platform.namespace,)))


def test_a_privileged_pod_is_refused_in_the_namespaces(platform: Platform, namespace: str) -> None:
    found = platform.api.read(NAMESPACE, None, namespace)
    assert found
    assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    document = {**PRIVILEGED, "metadata": {"name": "intruder", "namespace": namespace}}
    answer = platform.api.attempt(POD, document, dry_run=True)
    assert answer.status_code == 403
    assert "restricted" in answer.text


def test_no_pod_of_a_project_has_a_token_of_the_cluster(platform: Platform) -> None:
    pods = platform.api.items(POD, PROJECT)
    assert pods
    for pod in pods:
        assert pod["spec"].get("automountServiceAccountToken") is False, pod["metadata"]["name"]
        assert "serviceAccountToken" not in json.dumps(pod["spec"].get("volumes", []))


def test_no_pod_of_a_project_has_a_secret_in_its_environment(platform: Platform) -> None:
    for pod in platform.api.items(POD, PROJECT):
        for container in pod["spec"]["containers"]:
            assert "secretKeyRef" not in json.dumps(container.get("env", []))
            assert "secretRef" not in json.dumps(container.get("envFrom", []))


def test_no_pod_of_a_project_mounts_a_secret_of_the_platform(platform: Platform) -> None:
    own = {secret["metadata"]["name"] for secret in platform.api.items(SECRET, PROJECT)}
    values = secrets_of(platform.api, (PROJECT,)).values()
    platform_values = set(secrets_of(platform.api, (platform.namespace,)).values())
    for pod in platform.api.items(POD, PROJECT):
        for volume in pod["spec"].get("volumes", []):
            if "secret" in volume:
                assert volume["secret"]["secretName"] in own
    operator = platform.credential(platform.namespace, "mlflow-password", f"{platform.release}-operator")
    assert operator in platform_values
    assert operator not in values


def test_the_operator_has_the_rights_that_it_uses_and_no_others(
    platform: Platform, node: NodeMachine, began: datetime
) -> None:
    if not node.audits():
        pytest.skip("this cluster was made without an audit log")
    pod = platform.operator_pod()
    assert pod
    account = f"system:serviceaccount:{platform.namespace}:{pod['spec']['serviceAccountName']}"
    seen = [r for r in node.requests(account, began) if r.namespace == PROJECT]
    used = {right(r) for r in seen if r.code != HTTP_FORBIDDEN}
    # An API server that was killed refuses everybody until it has read the roles; what it lets through then is granted.
    assert [r for r in seen if r.code == HTTP_FORBIDDEN and right(r) not in used] == []
    # An apply that makes an object is let through by the right to create, and logged as a patch.
    used |= {(r.group, r.resource, "create") for r in seen if r.verb == "patch" and r.code == HTTP_CREATED}
    assert sorted(granted(platform, PROJECT) - used - RARE) == []


def right(request: Request) -> tuple[str, str, str]:
    """What a request needs to be allowed."""
    return request.group, f"{request.resource}/{request.subresource}".rstrip("/"), request.verb


def granted(platform: Platform, namespace: str) -> set[tuple[str, str, str]]:
    """What the operator's Roles in a namespace allow, one right each."""
    rights: set[tuple[str, str, str]] = set()
    for role in platform.api.items(ROLE, namespace):
        if "operator" not in role["metadata"]["name"]:
            continue
        for rule in role["rules"]:
            rights |= {
                (group, resource, verb)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
    assert not any("*" in right for right in rights)
    return rights
