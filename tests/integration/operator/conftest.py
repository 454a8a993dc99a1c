"""An operator on a control plane, one namespace a test."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import (
    DATASET,
    OWN_KINDS,
    TRAINING_JOB,
    Document,
    Kind,
    KubeApi,
    kube_api,
)
from tests.support.operating import (
    PLATFORM,
    Kubelet,
    Operator,
    condition,
    empty,
    install,
    jobs_of,
    running_operator,
)
from tests.support.ports import free_port
from tests.support.resources import dataset, loaded
from tests.support.waiting import until

POOL = [f"project-{number:02d}" for number in range(6)]
_NEXT = itertools.cycle(POOL)
PAGES_PORT = free_port()
"""Where the shared operator asks pods how far they are."""


@dataclass(frozen=True)
class Project:
    """A namespace that no other test uses, served by the operator."""

    api: KubeApi
    namespace: str
    kubelet: Kubelet

    def apply(self, document: Document) -> Document:
        """Applies one of our resources into the namespace."""
        kind = OWN_KINDS[document["kind"]]
        return self.api.apply(kind, {**document, "metadata": {**document["metadata"], **self._place}})

    @property
    def _place(self) -> Document:
        return {"namespace": self.namespace}

    def load_houses(self) -> None:
        """The Dataset ``houses``, ready."""
        self.apply(dataset("houses", self.namespace))
        self.kubelet.succeed(self.job("dataset", "houses"), loaded())
        self.await_reason(DATASET, "houses", "Ready", "Published")

    def jobs(self, label: str, name: str) -> list[Document]:
        """Jobs of a resource, the oldest attempt first."""
        return jobs_of(self.api, self.namespace, label, name)

    def job(self, label: str, name: str, attempt: int = 1) -> str:
        """Name of an attempt's Job, once it is there."""

        def look() -> str | None:
            for job in self.jobs(label, name):
                if job["metadata"]["annotations"]["modelyard.dev/attempt"] == str(attempt):
                    return str(job["metadata"]["name"])
            return None

        return until(look, 30, f"attempt {attempt} of {name}")

    def step(self, name: str, number: int, attempt: int = 1) -> tuple[str, Document]:
        """Name of the Job of a Dataset's step, once it is there, and what it asks its pod for."""
        wanted = {"modelyard.dev/step": str(number), "modelyard.dev/attempt": str(attempt)}

        def look() -> Document | None:
            for job in self.jobs("dataset", name):
                if wanted.items() <= job["metadata"]["annotations"].items():
                    return job
            return None

        job = until(look, 30, f"step {number} of {name}")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        text = next(item["value"] for item in container["env"] if item["name"] == "MODELYARD_STEP")
        return str(job["metadata"]["name"]), json.loads(text)

    def annotate(self, kind: Kind, name: str, key: str, value: str) -> None:
        """A person asks for something."""
        change = {"metadata": {"annotations": {key: value}}}
        assert self.api.merge(kind, self.namespace, name, change).is_success

    def await_reason(self, kind: Kind, name: str, type_: str, reason: str) -> Document:
        """The resource, once a condition has this reason."""

        def look() -> Document | None:
            seen = self.api.read(kind, self.namespace, name)
            found = condition(seen, type_)
            assert found.get("reason") == reason, found
            return seen

        return until(look, 30, f"{type_} of {name} with reason {reason}")

    def training(self, name: str, reason: str) -> Document:
        """The TrainingJob, once its summary has this reason."""
        return self.await_reason(TRAINING_JOB, name, "Succeeded", reason)


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
    port = str(PAGES_PORT)
    with running_operator(control_plane, directory, POOL, {"PROGRESS_PORT": port}) as running:
        yield running


@pytest.fixture
def project(kube: KubeApi, operator: Operator) -> Iterator[Project]:
    """An empty namespace of the shared operator."""
    assert operator.is_ready()
    namespace = next(_NEXT)
    yield Project(kube, namespace, Kubelet(kube, namespace))
    empty(kube, namespace)
