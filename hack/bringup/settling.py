"""Waiting until what a release installed runs, and noticing early what never will."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bringup.cluster import Cluster
from bringup.errors import BringUpError

_KINDS = "deployments,statefulsets,jobs,pods"
_LOOK_SECONDS = 1.0
_LOG_LINES = 12
# A program may end a few times while what it needs is still starting; the back-off by then is over a minute.
_TOO_MANY_RESTARTS = 5
_HOPELESS = {"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}


@dataclass(frozen=True)
class Workloads:
    """The workloads of a namespace at one moment."""

    items: tuple[Mapping[str, Any], ...]

    @property
    def unsettled(self) -> list[str]:
        """Names of what does not run, or has not completed, as its spec asks."""
        return [f"{i['kind'].lower()}/{i['metadata']['name']}" for i in self.items if not _settled(i)]

    @property
    def hopeless(self) -> tuple[str, str] | None:
        """A pod that will not start by waiting, and why."""
        for item in self.items:
            if item["kind"] != "Pod":
                continue
            status = item.get("status", {})
            for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
                reason = container.get("state", {}).get("waiting", {}).get("reason", "")
                restarts = container.get("restartCount", 0)
                if reason in _HOPELESS or (reason == "CrashLoopBackOff" and restarts >= _TOO_MANY_RESTARTS):
                    why = f"{reason} after {restarts} restarts of container {container['name']}"
                    return item["metadata"]["name"], why
        return None


def wait_settled(cluster: Cluster, namespace: str, seconds: float) -> None:
    """Returns when all workloads of a namespace run; raises with a log's end when one never will."""
    deadline = time.monotonic() + seconds
    while True:
        said = cluster.kubectl("get", _KINDS, "--namespace", namespace, "--output", "json")
        workloads = Workloads(tuple(json.loads(said)["items"]) if said else ())
        if said and not workloads.unsettled:
            return
        cluster.context.reporter.detail(f"waiting for {', '.join(workloads.unsettled)}")
        if workloads.hopeless:
            pod, why = workloads.hopeless
            raise BringUpError(f"pod {pod}: {why}{_log_of(cluster, namespace, pod)}")
        if time.monotonic() > deadline:
            raise BringUpError(f"after {seconds:.0f} s these do not run: {', '.join(workloads.unsettled)}")
        time.sleep(_LOOK_SECONDS)


def _settled(item: Mapping[str, Any]) -> bool:
    spec, status = item.get("spec", {}), item.get("status", {})
    if item["kind"] == "Job":
        return bool(status.get("succeeded", 0) >= spec.get("completions", 1))
    if item["kind"] == "Pod":
        return True
    seen = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
    wanted = spec.get("replicas", 1)
    ready = status.get("readyReplicas", 0) >= wanted and status.get("updatedReplicas", 0) >= wanted
    return bool(seen and ready and status.get("replicas", 0) == wanted)


def _log_of(cluster: Cluster, namespace: str, pod: str) -> str:
    words = ["logs", pod, "--namespace", namespace, "--all-containers", f"--tail={_LOG_LINES}"]
    lines = (cluster.kubectl(*words) or cluster.kubectl(*words, "--previous") or "").splitlines()
    more = f"\n  more: kubectl describe pod {pod} --namespace {namespace}"
    return "".join(f"\n  | {line}" for line in lines) + more
