"""Pods of a resource, the one to look at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard_cli.objects import Document


@dataclass(frozen=True)
class Pod:
    """Where lines come from."""

    name: str
    container: str


def of_resource(pods: Sequence[Document]) -> list[Pod]:
    """The latest first; of those made at the same second the one that goes on."""
    ordered = sorted(pods, key=_age, reverse=True)
    return [Pod(pod["metadata"]["name"], _container(pod)) for pod in ordered]


def _container(pod: Document) -> str:
    """The container to look at: of several that work one after the other the first that failed or is at work."""
    for status in pod.get("status", {}).get("initContainerStatuses", []):
        state = status.get("state", {})
        if "running" in state or state.get("terminated", {}).get("exitCode"):
            return str(status["name"])
    return str(pod["spec"]["containers"][0]["name"])


def _age(pod: Document) -> tuple[str, bool, str]:
    running = pod.get("status", {}).get("phase") in {"Pending", "Running"}
    return pod["metadata"]["creationTimestamp"], running, pod["metadata"]["name"]
