"""One soak: models are trained, the first is served, and then it is asked while everything changes."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

import httpx

from modelyard_api import labels
from tests.soak.asking import Load, Pool, Removals, Tally
from tests.soak.changes import CHANGES, Ground
from tests.soak.report import Outcome
from tests.support.kubeapi import DATASET, NODE, SERVICE, TRAINING_JOB, Kind
from tests.support.manifests import Project, dataset, training_job
from tests.support.waiting import until

_POLICY = Kind("apis/networking.k8s.io/v1", "networkpolicies")
_MODEL = "soak"
_DOOR = "soak-door"
_LOOK_SECONDS = 0.2
_PORT = 8080
_FLOWERS = (
    (5.1, 3.5, 1.4, 0.2),
    (6.6, 3.0, 4.4, 1.4),
    (5.9, 3.0, 5.1, 1.8),
    (4.9, 3.1, 1.5, 0.1),
    (6.1, 2.8, 4.7, 1.2),
    (7.7, 2.6, 6.9, 2.3),
)
_COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@dataclass(frozen=True)
class Extent:
    """How much is asked while how much happens."""

    requests: int = 1_000_000
    changes: int = 24
    rate: float = 500.0
    connections: int = 16
    versions: int = 4


def soak(project: Project, extent: Extent, say: Callable[[str], None]) -> Outcome:
    """Trains, serves, asks and changes; returns when at least as much was asked and as many changes happened as wanted."""
    removals, tally = Removals(), Tally()
    ground = Ground(project, _MODEL, _MODEL, _trained(project, extent.versions, say), removals)
    ground.begin()
    with _door(project, ground.stage) as (host, port):
        path = f"/v2/models/{_MODEL}/infer"
        load = Load(host, port, path, [_body(*row) for row in _FLOWERS], extent.rate, extent.connections)
        course = _Course(ground, load, tally, extent, say)
        start = time.monotonic()
        course.run()
        return Outcome.of(
            tally, course.references, course.happened, extent.changes, time.monotonic() - start, course.broken
        )


class _Course:
    """The changes in a thread of their own, and the requests beside them."""

    def __init__(
        self, ground: Ground, load: Load, tally: Tally, extent: Extent, say: Callable[[str], None]
    ) -> None:
        self.happened: list[tuple[str, float]] = []
        self.references: dict[tuple[str, int], bytes] = {}
        self.broken = ""
        self._ground = ground
        self._load = load
        self._tally = tally
        self._extent = extent
        self._say = say
        self._over = threading.Event()

    def run(self) -> None:
        """Returns when both are over."""
        changing = threading.Thread(target=self._change_all, name="changes")
        changing.start()
        pool = Pool(self._load, self._ground.removals, self._tally)
        try:
            asyncio.run(pool.ask(lambda sent: sent < self._extent.requests or not self._over.is_set()))
        finally:
            changing.join()

    def _change_all(self) -> None:
        try:
            self._refer()
            between = self._extent.requests / (self._extent.changes + 1)
            for place, kind in enumerate(islice(cycle(CHANGES), self._extent.changes), 1):
                self._await(int(place * between))
                start = time.monotonic()
                CHANGES[kind](self._ground)
                self._refer()
                self.happened.append((kind, time.monotonic() - start))
                self._say(
                    f"{self._tally.asked:,} asked, {self._tally.failed.total()} failed; "
                    f"{place} of {self._extent.changes}: {kind}, {time.monotonic() - start:.1f} s, "
                    f"version {self._ground.in_charge[-1]}"
                )
        except Exception as error:  # noqa: BLE001  whatever ends the changes is part of what was found
            self.broken = f"{type(error).__name__}: {error}"
        finally:
            self._over.set()

    def _await(self, asked: int) -> None:
        while self._tally.asked < asked:
            time.sleep(_LOOK_SECONDS)

    def _refer(self) -> None:
        """Asks the version in charge by its number; it must always say the same."""
        version = self._ground.in_charge[-1]
        url = f"http://{self._load.host}:{self._load.port}/v2/models/{_MODEL}/versions/{version}/infer"
        for number, body in enumerate(self._load.bodies):
            own = until(lambda body=body: _asked(url, body), 60, f"version {version} by its number")  # type: ignore[misc]
            if self.references.setdefault((version, number), own) != own:
                raise AssertionError(f"version {version} does not always answer the same")


def _asked(url: str, body: bytes) -> bytes | None:
    """One request on a connection of its own; None where no answer came, as from a pod that is going."""
    headers = {"Content-Type": "application/json"}
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=10, trust_env=False)
    except httpx.TransportError:
        return None
    return answer.content if answer.status_code == httpx.codes.OK else None


def _trained(project: Project, count: int, say: Callable[[str], None]) -> Sequence[str]:
    """Versions of one model, each of which gives other probabilities."""
    project.apply(dataset("iris"))
    project.await_true(DATASET, "iris", "Ready")
    found = []
    for number in range(1, count + 1):
        name = f"{_MODEL}-{number}"
        estimator = {"class": "LogisticRegression", "params": {"C": float(4**number), "max_iter": 1000}}
        project.apply(training_job(name, register={"modelName": _MODEL}, pipeline={"estimator": estimator}))
        project.await_true(TRAINING_JOB, name, "Succeeded")
        model = project.training_job(name).status.model
        assert model, f"{name} made no version"
        say(f"version {model.version} is trained")
        found.append(model.version)
    return found


@contextmanager
def _door(project: Project, stage: str) -> Iterator[tuple[str, int]]:
    """A port of the node that leads to the pods of a promotion, as a load balancer would."""
    selector = {labels.PROMOTION: stage}
    meta = {"name": _DOOR, "namespace": project.name}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"type": "NodePort", "selector": selector, "ports": [{"port": 80, "targetPort": _PORT}]},
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta,
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": _PORT}]}],
        },
    }
    api = project.api
    try:
        api.apply(_POLICY, policy)
        port = api.apply(SERVICE, service)["spec"]["ports"][0]["nodePort"]
        addresses = api.items(NODE)[0]["status"]["addresses"]
        host = next(each["address"] for each in addresses if each["type"] == "InternalIP")
        until(lambda: _answers(host, port), 60, f"a way to the pods through {host}:{port}")
        yield host, port
    finally:
        api.delete(SERVICE, project.name, _DOOR)
        api.delete(_POLICY, project.name, _DOOR)


def _answers(host: str, port: int) -> bool:
    try:
        return httpx.get(f"http://{host}:{port}/v2/health/ready", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _body(*values: float) -> bytes:
    tensors = [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
        for name, value in zip(_COLUMNS, values, strict=True)
    ]
    return json.dumps({"inputs": tensors}).encode()
