"""Reading and writing of Kubernetes objects over plain HTTP: polling with it costs milliseconds, not a process each.

What is said about kubectl is tested with kubectl (`tests.support.kubectl`); everything else goes this way.
"""

import base64
import json
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

Document = dict[str, Any]

FIELD_MANAGER = "modelyard-tests"
_APPLY = "application/apply-patch+yaml"
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)


@dataclass(frozen=True)
class Kind:
    """Where the API server keeps the objects of a kind."""

    group: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Path of a collection or, with a name, of one object."""
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"/{self.group}{inside}/{self.plural}" + (f"/{name}" if name else "")


DATASET = Kind("apis/modelyard.dev/v1alpha1", "datasets")
TRAINING_JOB = Kind("apis/modelyard.dev/v1alpha1", "trainingjobs")
PROMOTION = Kind("apis/modelyard.dev/v1alpha1", "modelpromotions")
OWN_KINDS = {"Dataset": DATASET, "TrainingJob": TRAINING_JOB, "ModelPromotion": PROMOTION}

AUTOSCALER = Kind("apis/autoscaling/v2", "horizontalpodautoscalers")
CONFIG_MAP = Kind("api/v1", "configmaps")
CRD = Kind("apis/apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
DEPLOYMENT = Kind("apis/apps/v1", "deployments")
REPLICA_SET = Kind("apis/apps/v1", "replicasets")
DISRUPTION_BUDGET = Kind("apis/policy/v1", "poddisruptionbudgets")
EVENT = Kind("api/v1", "events")
JOB = Kind("apis/batch/v1", "jobs")
LEASE = Kind("apis/coordination.k8s.io/v1", "leases")
NAMESPACE = Kind("api/v1", "namespaces", namespaced=False)
NODE = Kind("api/v1", "nodes", namespaced=False)
POD = Kind("api/v1", "pods")
ROLE = Kind("apis/rbac.authorization.k8s.io/v1", "roles")
SECRET = Kind("api/v1", "secrets")
SERVICE = Kind("api/v1", "services")
STATEFUL_SET = Kind("apis/apps/v1", "statefulsets")


class KubeApi:
    """A client with the rights of the kubeconfig that it was opened with."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def read(self, kind: Kind, namespace: str | None, name: str) -> Document | None:
        """The object, or None where there is none."""
        response = self._client.get(kind.path(namespace, name))
        return None if response.status_code == httpx.codes.NOT_FOUND else _checked(response)

    def items(self, kind: Kind, namespace: str | None = None, labels: str = "") -> list[Document]:
        """All objects of a kind, of one namespace or of all, that carry the labels."""
        response = self._client.get(kind.path(namespace), params={"labelSelector": labels})
        found: list[Document] = _checked(response)["items"]
        return found

    def attempt(self, kind: Kind, document: Document, *, dry_run: bool = False) -> httpx.Response:
        """Applies strictly and returns what the API server answers, be it a refusal."""
        metadata = document["metadata"]
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self._client.patch(
            kind.path(metadata.get("namespace"), metadata["name"]),
            params=query,
            content=json.dumps(document),
            headers={"Content-Type": _APPLY},
        )

    def create(self, kind: Kind, document: Document, *, dry_run: bool = False) -> httpx.Response:
        """Makes an object, strictly, and returns what the API server answers, be it a refusal."""
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return self._client.post(
            kind.path(document["metadata"].get("namespace")), params=query, json=document
        )

    def apply(self, kind: Kind, document: Document) -> Document:
        """Applies on the server's side; what the API server refuses is an error here."""
        return _checked(self.attempt(kind, document))

    def merge(self, kind: Kind, namespace: str | None, name: str, change: Document) -> httpx.Response:
        """Merges a change into an object and returns the answer, be it a refusal."""
        return self._client.patch(
            kind.path(namespace, name),
            content=json.dumps(change),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, grace_seconds: int | None = None
    ) -> None:
        """Deletes an object with its children; one that is gone already is fine."""
        query: dict[str, str] = {"propagationPolicy": "Background"}
        if grace_seconds is not None:
            query["gracePeriodSeconds"] = str(grace_seconds)
        response = self._client.delete(kind.path(namespace, name), params=query)
        if response.status_code != httpx.codes.NOT_FOUND:
            _checked(response)

    def evict(self, namespace: str, pod: str) -> bool:
        """Asks for a pod to go as a drain of its node does; False while a disruption budget holds it."""
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        response = self._client.post(f"{POD.path(namespace, pod)}/eviction", json=eviction)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return False
        if response.status_code != httpx.codes.NOT_FOUND:
            _checked(response)
        return True

    def log(self, namespace: str, pod: str, container: str) -> str:
        """What a container has written so far; empty where it has not started."""
        response = self._client.get(f"{POD.path(namespace, pod)}/log", params={"container": container})
        return response.text if response.is_success else ""

    def ready(self) -> bool:
        """Whether the API server answers and says that it is ready."""
        try:
            return self._client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def text(self, path: str) -> str:
        """The body of any path of the API server."""
        response = self._client.get(path)
        response.raise_for_status()
        return response.text


@contextmanager
def kube_api(kubeconfig: Path) -> Iterator[KubeApi]:
    """Opens a client by the current context of a kubeconfig with a client certificate."""
    config = yaml.safe_load(kubeconfig.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    with tempfile.TemporaryDirectory(prefix="modelyard-kubeapi-") as directory:
        place = Path(directory)
        trust = ssl.create_default_context(cafile=str(_pem(cluster, "certificate-authority", place)))
        trust.load_cert_chain(_pem(user, "client-certificate", place), _pem(user, "client-key", place))
        with httpx.Client(
            base_url=cluster["server"], verify=trust, timeout=_TIMEOUT, trust_env=False
        ) as client:
            yield KubeApi(client)


def _named(entries: list[Document], name: str) -> Document:
    return next(entry for entry in entries if entry["name"] == name)


def _pem(entry: Document, field: str, place: Path) -> Path:
    """The file of a certificate or key, written out where the kubeconfig carries it inline."""
    if field in entry:
        return Path(entry[field])
    file = place / f"{field}.pem"
    file.write_bytes(base64.b64decode(entry[f"{field}-data"]))
    return file


def _checked(response: httpx.Response) -> Document:
    if response.is_error:
        raise AssertionError(f"{response.request.method} {response.request.url}: {response.text}")
    found: Document = response.json()
    return found
