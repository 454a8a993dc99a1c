"""The operator as a process of its own against a control plane, and a test in the kubelet's place."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from bringup.paths import REPOSITORY
from tests.support import plain
from tests.support.controlplane import ControlPlane
from tests.support.forking import Process, Program, forking
from tests.support.kubeapi import CRD, JOB, NAMESPACE, OWN_KINDS, POD, Document, Kind, KubeApi
from tests.support.ports import free_port
from tests.support.waiting import until

PLATFORM = "modelyard"
STEP = "step"
SERVICE_ACCOUNT = Kind("api/v1", "serviceaccounts")


class EndedError(RuntimeError):
    """The operator ended before it was ready."""


@dataclass
class Operator:
    """A running operator and where its output goes."""

    process: Process
    log: Path
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        """An answer of its own port."""
        return plain.get(f"{self.address}{path}")

    def is_ready(self) -> bool:
        """Whether it holds the Lease and watches."""
        if self.process.poll() is not None:
            raise EndedError(f"the operator ended:\n{self.log.read_text()[-4000:]}")
        try:
            return self.get("/readyz").is_success
        except httpx.TransportError:
            return False

    @property
    def processor_seconds(self) -> float:
        """User and system CPU time that it has used so far."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak_mebibytes(self) -> float:
        """The most memory that it ever had resident."""
        line = next(text for text in self._read("status").splitlines() if text.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    def kill(self) -> None:
        """Ends it as a node that loses power would."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ends it in order and returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def _read(self, file: str) -> str:
        return Path(f"/proc/{self.process.pid}/{file}").read_text()


@contextmanager
def running_operator(
    plane: ControlPlane,
    directory: Path,
    projects: list[str],
    settings: Mapping[str, str] | None = None,
    on_start: Callable[[Operator], None] = lambda _: None,
) -> Iterator[Operator]:
    """An operator for the time of the block, ready to work; ``settings`` are variables without their prefix."""
    port = free_port()
    given = {
        "KUBECONFIG": str(plane.kubeconfig),
        "PROJECTS": ",".join(projects),
        "NAMESPACE": PLATFORM,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "RETRY__FIRST": "0.2",
        "MLFLOW__URL": "http://127.0.0.1:9",
        **(settings or {}),
    }
    paths = [REPOSITORY / "operator" / part for part in ("api", "controller")]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        **{f"MODELYARD_{name}": value for name, value in given.items()},
    }
    log = directory / f"operator-{port}.log"
    with log.open("ab") as output:
        process = forking(Program("modelyard_operator")).start(environment, output.fileno(), output.fileno())
    operator = Operator(process, log, port)
    on_start(operator)
    try:
        until(operator.is_ready, 60, "the operator being ready")
        yield operator
    finally:
        operator.stop()


def install(api: KubeApi, namespaces: list[str]) -> None:
    """The kinds, established, and the namespaces."""
    for crd in _definitions():
        served = partial(_established, api, crd["metadata"]["name"])
        if not served():
            api.apply(CRD, crd)
            until(served, 30, "the CRD being served")
    for namespace in namespaces:
        api.apply(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for account in ("loader", "trainer", "server"):
            meta = {"name": f"modelyard-{account}", "namespace": namespace}
            api.apply(SERVICE_ACCOUNT, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})


@cache
def _definitions() -> tuple[Document, ...]:
    files = sorted((REPOSITORY / "manifests" / "crds").glob("*.yaml"))
    return tuple(yaml.load(file.read_text(), yaml.CSafeLoader) for file in files)


def _established(api: KubeApi, name: str) -> bool:
    crd = api.read(CRD, None, name) or {}
    conditions = crd.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def empty(api: KubeApi, namespace: str) -> None:
    """Removes all of a namespace; the garbage collector learns of new kinds too late to be waited for."""
    for kind in (*OWN_KINDS.values(), JOB):
        for item in api.items(kind, namespace):
            api.delete(kind, namespace, item["metadata"]["name"])
    for pod in api.items(POD, namespace):
        api.delete(POD, namespace, pod["metadata"]["name"], grace_seconds=0)
    until(lambda: not api.items(JOB, namespace), 30, "the Jobs being gone")


@dataclass(frozen=True)
class Kubelet:
    """Says what became of pods; the control plane has no nodes, so nobody contradicts."""

    api: KubeApi
    namespace: str
    index: int | None = None
    """Which pod of an Indexed Job is meant."""

    def worker(self, index: int) -> "Kubelet":
        """For one of the pods of an Indexed Job."""
        return replace(self, index=index)

    def pod_of(self, job: str) -> Document:
        """The pod that the Job's controller made, once it is there."""
        label = f"batch.kubernetes.io/job-name={job}"
        if self.index is not None:
            label += f",batch.kubernetes.io/job-completion-index={self.index}"
        return until(lambda: next(iter(self.api.items(POD, self.namespace, label)), None), 30, "a pod")

    def run(self, job: str, address: str | None = None) -> None:
        """The pod is at work, perhaps at an address."""
        place = {"podIP": address, "podIPs": [{"ip": address}]} if address else {}
        self._set(job, {"phase": "Running", **place}, {"running": {}})

    def succeed(self, job: str, message: str) -> None:
        """The pod's container ends with 0 and an answer."""
        self._set(job, {"phase": "Succeeded"}, {"terminated": {"exitCode": 0, "message": message}})

    def fail(self, job: str, exit_code: int, message: str = "", reason: str = "Error") -> None:
        """The pod's container ends with an exit code and, perhaps, an answer."""
        ended = {"exitCode": exit_code, "reason": reason, **({"message": message} if message else {})}
        self._set(job, {"phase": "Failed"}, {"terminated": ended})

    def fail_before(
        self, job: str, container: str, exit_code: int, message: str = "", reason: str = "Error"
    ) -> None:
        """A container before the step's ends with an exit code, and what the kubelet kept of its log."""
        ended = {"exitCode": exit_code, "reason": reason, "message": message}
        self._set_before(job, "Failed", container, {"terminated": ended})

    def run_before(self, job: str, container: str) -> None:
        """A container before the step's is at work."""
        self._set_before(job, "Pending", container, {"running": {}})

    def _set_before(self, job: str, phase: str, container: str, state: dict[str, Any]) -> None:
        statuses = [_seen(container, state)]
        self._set(
            job,
            {"phase": phase, "initContainerStatuses": statuses},
            {"waiting": {"reason": "PodInitializing"}},
        )

    def wait(self, job: str, reason: str, message: str = "") -> None:
        """The pod's container cannot begin."""
        self._set(job, {"phase": "Pending"}, {"waiting": {"reason": reason, "message": message}})

    def leave(self, job: str, why: str) -> None:
        """The scheduler's part: no node takes the pod."""
        unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
        name = f"{self.pod_of(job)['metadata']['name']}/status"
        answer = self.api.merge(POD, self.namespace, name, {"status": {"conditions": [unscheduled]}})
        assert answer.is_success, answer.text

    def _set(self, job: str, status: dict[str, Any], state: dict[str, Any]) -> None:
        pod = self.pod_of(job)
        change = {"status": {**status, "containerStatuses": [_seen(STEP, state)]}}
        name = f"{pod['metadata']['name']}/status"
        answer = self.api.merge(POD, self.namespace, name, change)
        assert answer.is_success, answer.text


def _seen(container: str, state: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": container,
        "image": "any",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": state,
    }


def jobs_of(api: KubeApi, namespace: str, label: str, name: str) -> list[Document]:
    """Jobs of one of our resources, the oldest step first, and of each step the oldest attempt."""
    found = api.items(JOB, namespace, f"modelyard.dev/{label}={name}")

    def place(job: Document) -> tuple[int, int]:
        marks = job["metadata"]["annotations"]
        return int(marks.get("modelyard.dev/step", 0)), int(marks["modelyard.dev/attempt"])

    return sorted(found, key=place)


def condition(document: Document | None, type_: str) -> Document:
    """A condition of an object; empty where it was not observed yet."""
    conditions = (document or {}).get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == type_), {})
