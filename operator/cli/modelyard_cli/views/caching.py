"""What a TrainingJob says of earlier runs, and how it is asked without training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelyard_api.labels import DRY_RUN, NAME_LIMIT
from modelyard_api.v1alpha1.reasons import TrainingJobCondition
from modelyard_cli.objects import Document, current, training_job_seen
from modelyard_cli.views.look import Look, State, look_at


@dataclass(frozen=True)
class Explained:
    """Whether an earlier run is the answer."""

    job: str
    hit: bool
    reason: str
    """Reason of the condition Cached."""
    message: str
    because: tuple[str, ...]
    """Paths by which the nearest earlier run differs."""
    nearest: str

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "job": self.job,
            "hit": self.hit,
            "reason": self.reason,
            "message": self.message,
            "missBecause": list(self.because),
            "nearestRun": self.nearest,
        }


def question(document: Document, mark: str) -> Document:
    """A TrainingJob that asks what another one would find, and does nothing; ``mark`` makes its name one of a kind."""
    metadata, suffix = document["metadata"], f"-explain-{mark}"
    name = f"{metadata['name'][: NAME_LIMIT - len(suffix)]}{suffix}"
    annotations = {**metadata.get("annotations", {}), DRY_RUN: "true"}
    return {**document, "metadata": {**metadata, "name": name, "annotations": annotations}}


def look_for_answer(document: Document) -> Look:
    """Whether the question is answered."""
    seen = training_job_seen(document)
    cached = current(seen.metadata, seen.status, TrainingJobCondition.CACHED)
    if cached is not None:
        return Look(State.DONE, cached.reason, cached.message, 1.0)
    return look_at(seen)


def explained(job: str, document: Document) -> Explained:
    """The answer as the status has it; of a job that never asked the reason is empty."""
    status = training_job_seen(document)
    cached = current(status.metadata, status.status, TrainingJobCondition.CACHED)
    found = status.status.cache
    return Explained(
        job=job,
        hit=found is not None and found.hit,
        reason=cached.reason if cached is not None else "",
        message=cached.message if cached is not None else "",
        because=tuple(found.miss_because) if found is not None else (),
        nearest=(found.nearest_run or "") if found is not None else "",
    )
