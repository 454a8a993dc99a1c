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
    return [Pod(pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]) for pod in ordered]


def _age(pod: Document) -> tuple[str, bool, str]:
    running = pod.get("status", {}).get("phase") in {"Pending", "Running"}
    return pod["metadata"]["creationTimestamp"], running, pod["metadata"]["name"]
