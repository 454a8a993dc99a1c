"""A TrainingJob that makes a run again, and what came of it."""

from __future__ import annotations

from datetime import datetime

from modelyard_api.labels import NAME_LIMIT
from modelyard_api.v1alpha1.reasons import TrainingJobCondition
from modelyard_cli.objects import Document, current, training_job_seen
from modelyard_cli.runs import Run


def new_replay(run: Run, name: str, now: datetime) -> Document:
    """The resource; without a name it gets one of its own each time."""
    suffix = f"-replay-{now:%m%d%H%M%S}"
    return {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name or f"{run.title[: NAME_LIMIT - len(suffix)]}{suffix}"},
        "spec": {"replay": {"runId": run.id}},
    }


def reproduced(document: Document) -> tuple[bool, str]:
    """Whether nothing differs, and what is said of it."""
    seen = training_job_seen(document)
    found = current(seen.metadata, seen.status, TrainingJobCondition.REPRODUCED)
    if found is None:
        return False, "it is not said whether it was reproduced"
    return found.status == "True", f"{found.reason}: {found.message}"
