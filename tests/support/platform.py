"""An installed release and the ways to look into its parts: tracking, working copy, metrics, servers."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psycopg

from tests.support.kubeapi import JOB, POD, SECRET, Document, KubeApi
from tests.support.kubectl import Command
from tests.support.tracking import Tracking
from tests.support.waiting import until

PROJECT_SECRET = "modelyard-project"


@dataclass(frozen=True)
class Platform:
    """One Helm release in its namespace."""

    api: KubeApi
    kubectl: Command
    namespace: str = "modelyard"
    release: str = "modelyard"

    def operator_pod(self) -> Document | None:
        """The operator's pod that is not on its way out, or None."""
        return next(iter(self._pods("operator")), None)

    def operator_is_ready(self) -> bool:
        """Whether an operator is up: its pod says that it is ready."""
        pod = self.operator_pod()
        return pod is not None and is_ready(pod)

    def await_operator(self) -> None:
        """Waits until the operator is up."""
        until(self.operator_is_ready, 90, f"a ready operator in {self.namespace}")

    def kill_operator(self) -> str:
        """Deletes the operator's pod without grace, as a lost node would, and returns its uid."""
        return self._kill("operator")

    def kill_postgres(self) -> str:
        """Deletes the database's pod without grace and returns its uid."""
        return self._kill("postgres")

    def image_of(self, part: str) -> str:
        """Image that the first container of a part runs."""
        pod = until(lambda: next(iter(self._pods(part)), None), 60, f"a pod of {part}")
        return str(pod["spec"]["containers"][0]["image"])

    def credential(self, namespace: str, key: str, secret: str = PROJECT_SECRET) -> str:
        """One value of a Secret."""
        found = self.api.read(SECRET, namespace, secret)
        assert found, f"there is no Secret {namespace}/{secret}"
        return base64.b64decode(found["data"][key]).decode()

    @contextmanager
    def tracking(self, project: str) -> Iterator[Tracking]:
        """MLflow as a pod of the project sees it."""
        account = (self.credential(project, "mlflow-username"), self.credential(project, "mlflow-password"))
        with (
            self.service("mlflow", 5000) as address,
            httpx.Client(
                base_url=address,
                auth=account,
                headers={"X-MLFLOW-WORKSPACE": project},
                timeout=30,
                trust_env=False,
            ) as client,
        ):
            yield Tracking(client)

    @contextmanager
    def postgres(self, project: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
        """The working copy as the project's own role sees it."""
        with (
            self.kubectl.forward(self.namespace, f"svc/{self.release}-postgres", 5432) as port,
            psycopg.connect(
                host="127.0.0.1",
                port=port,
                dbname="modelyard",
                user=self.credential(project, "postgres-username"),
                password=self.credential(project, "postgres-password"),
                autocommit=True,
            ) as connection,
        ):
            yield connection

    @contextmanager
    def service(self, part: str, port: int) -> Iterator[str]:
        """Address on this machine of a Service of the release."""
        with self.kubectl.forward(self.namespace, f"svc/{self.release}-{part}", port) as local:
            yield f"http://127.0.0.1:{local}"

    @contextmanager
    def server(self, project: str, promotion: str) -> Iterator[httpx.Client]:
        """The prediction server of a promotion, through its Service."""
        with (
            self.kubectl.forward(project, f"svc/{promotion}", 80) as local,
            httpx.Client(base_url=f"http://127.0.0.1:{local}", timeout=60, trust_env=False) as client,
        ):
            yield client

    @contextmanager
    def prometheus(self) -> Iterator[httpx.Client]:
        """The HTTP interface of Prometheus."""
        with (
            self.service("prometheus", 9090) as address,
            httpx.Client(base_url=address, timeout=30, trust_env=False) as client,
        ):
            yield client

    def _pods(self, part: str) -> list[Document]:
        labels = f"app.kubernetes.io/instance={self.release},app.kubernetes.io/name={part}"
        pods = self.api.items(POD, self.namespace, labels)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def _kill(self, part: str) -> str:
        pod = until(lambda: next(iter(self._pods(part)), None), 60, f"a pod of {part}")
        self.api.delete(POD, self.namespace, pod["metadata"]["name"], grace_seconds=0)
        return str(pod["metadata"]["uid"])


def is_ready(pod: Document) -> bool:
    """Whether all containers of the pod are ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def jobs_of(api: KubeApi, namespace: str, label: str, name: str) -> list[Document]:
    """Jobs that were made for a resource."""
    return api.items(JOB, namespace, f"{label}={name}")


def pods_of(api: KubeApi, namespace: str, label: str, name: str) -> list[Document]:
    """Pods that were made for a resource."""
    return api.items(POD, namespace, f"{label}={name}")


def operator_restarts(pod: Document) -> int:
    """How often containers of the pod were started again."""
    return sum(int(status["restartCount"]) for status in pod["status"].get("containerStatuses", []))
