"""What happens to a served model while it is asked: promotions, canaries, ways back, pods that go, rolling updates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard_api import labels
from tests.soak.asking import Removals
from tests.support.kubeapi import DEPLOYMENT, POD, PROMOTION, Document
from tests.support.manifests import Project, promotion
from tests.support.platform import is_ready, pods_of
from tests.support.waiting import until

_SECONDS = 300.0
IMMEDIATE: Mapping[str, Any] = {"immediate": {}}
CANARY: Mapping[str, Any] = {
    "canary": {"steps": [{"percent": 20, "seconds": 3}, {"percent": 60, "seconds": 3}]}
}
REPLICAS = 2
"""So that one is left when the other goes."""
_CPU = ("50m", "60m")


@dataclass
class Ground:
    """The promotion that changes, and what it is now."""

    project: Project
    stage: str
    model: str
    versions: Sequence[str]
    removals: Removals
    in_charge: list[str] = field(default_factory=list)
    """Versions that were in charge, the last one is."""
    _update: int = 0

    def begin(self) -> None:
        """The first version, served by all pods."""
        self._promote(self.versions[0], IMMEDIATE)
        self._await_pods()

    def promote(self) -> None:
        """Another version, all at once."""
        self._promote(self._next(), IMMEDIATE)

    def canary(self) -> None:
        """Another version, in steps."""
        self._promote(self._next(), CANARY)

    def go_back(self) -> None:
        """The version before, by its number."""
        self._promote(self.in_charge[-2], IMMEDIATE)

    def kill(self) -> None:
        """A pod goes without grace, as with its node."""
        gone = self._pods()[0]["metadata"]["name"]
        with self.removals.one():
            self.project.api.delete(POD, self.project.name, gone, grace_seconds=0)
            until(lambda: self._is_gone(gone), _SECONDS, "a pod being gone")
            self._await_pods()

    def drain(self) -> None:
        """All pods are told to go at once, as when their nodes are drained; the disruption budget lets one go at a time."""
        staying = [pod["metadata"]["name"] for pod in self._pods()]
        with self.removals.one():
            first = self._evicted(staying)
            assert len(first) == 1, f"of {staying} {first} were let go at once"
            left = set(staying) - first

            def let_go() -> bool:
                left.difference_update(self._evicted(left))
                return not left

            until(let_go, _SECONDS, "all being let go")
            until(lambda: all(self._is_gone(pod) for pod in staying), _SECONDS, "all being gone")
            self._await_pods()

    def _evicted(self, pods: Collection[str]) -> set[str]:
        return {pod for pod in pods if self.project.api.evict(self.project.name, pod)}

    def update(self) -> None:
        """All pods are replaced by ones that ask for other resources."""
        self._update += 1
        with self.removals.one():
            self._apply(self.in_charge[-1], IMMEDIATE)
            until(self._is_updated, _SECONDS, f"the rolling update of {self.stage}")
            self._await_pods()

    def _next(self) -> str:
        return self.versions[(self.versions.index(self.in_charge[-1]) + 1) % len(self.versions)]

    def _promote(self, version: str, rollout: Mapping[str, Any]) -> None:
        self._apply(version, rollout)

        def serves() -> bool:
            champion = self.project.promotion(self.stage).status.champion
            return champion is not None and champion.version == version

        until(serves, _SECONDS, f"version {version} in charge of {self.stage}")
        self.project.await_true(PROMOTION, self.stage, "Ready", _SECONDS)
        self.in_charge.append(version)

    def _apply(self, version: str, rollout: Mapping[str, Any]) -> None:
        resources = {"requests": {"cpu": _CPU[self._update % len(_CPU)]}}
        self.project.apply(
            promotion(
                self.stage,
                self.model,
                candidate={"version": version},
                rollout=rollout,
                serving={"replicas": {"min": REPLICAS}, "resources": resources},
            )
        )

    def _is_gone(self, pod: str) -> bool:
        return self.project.api.read(POD, self.project.name, pod) is None

    def _await_pods(self) -> None:
        until(
            lambda: [is_ready(pod) for pod in self._pods()] == [True] * REPLICAS,
            _SECONDS,
            f"{REPLICAS} ready pods of {self.stage}",
        )

    def _pods(self) -> list[Document]:
        return pods_of(self.project.api, self.project.name, labels.PROMOTION, self.stage)

    def _is_updated(self) -> bool:
        found = self.project.api.read(DEPLOYMENT, self.project.name, self.stage)
        assert found
        container = found["spec"]["template"]["spec"]["containers"][0]
        assert container["resources"]["requests"]["cpu"] == _CPU[self._update % len(_CPU)]
        status = found.get("status", {})
        known: bool = status.get("observedGeneration") == found["metadata"]["generation"]
        return known and [status.get(each) for each in ("updatedReplicas", "replicas")] == [REPLICAS] * 2


Change = Callable[[Ground], None]

CHANGES: Mapping[str, Change] = {
    "promotion": Ground.promote,
    "canary": Ground.canary,
    "pod killed": Ground.kill,
    "way back": Ground.go_back,
    "rolling update": Ground.update,
    "drain": Ground.drain,
}
"""In the order in which they come, again and again."""
