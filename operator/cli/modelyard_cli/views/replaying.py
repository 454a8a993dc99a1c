"""A TrainingJob that makes a run again, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from modelyard_api.labels import NAME_LIMIT
from modelyard_api.v1alpha1.reasons import TrainingJobCondition
from modelyard_cli.objects import Document, current, training_job_seen
from modelyard_cli.runs import Run
from modelyard_cli.secrets import SecretVariable


def new_replay(run: Run, name: str, now: datetime, secrets: Sequence[SecretVariable] = ()) -> Document:
    """The resource; without a name it gets one of its own each time."""
    suffix = f"-replay-{now:%m%d%H%M%S}"
    environment = [{"name": own.variable, "secret": {"name": own.secret, "key": own.key}} for own in secrets]
    return {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name or f"{run.title[: NAME_LIMIT - len(suffix)]}{suffix}"},
        "spec": {
            "replay": {"runId": run.id},
            **({"environment": environment} if environment else {}),
        },
    }


def reproduced(document: Document) -> tuple[bool, str]:
    """Whether nothing differs, and what is said of it."""
    seen = training_job_seen(document)
    found = current(seen.metadata, seen.status, TrainingJobCondition.REPRODUCED)
    if found is None:
        return False, "it is not said whether it was reproduced"
    return found.status == "True", f"{found.reason}: {found.message}"
