"""How a pod says how far it is: ``GET /progress`` on a port of its own, while it works.

The pod has no token and writes nothing into the cluster; the operator asks, and a pod that does not answer is only less
talkative.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from modelyard_api.base import StatusModel
from modelyard_api.v1alpha1.tuning import TuningProgress

PROGRESS_PORT = 8080
PROGRESS_PATH = "/progress"
PROGRESS_VARIABLE = "MODELYARD_PROGRESS_PORT"
"""Names another port, for a step outside a pod; 0 turns the page off."""


class Phase(StrEnum):
    """What a step does: that of a Dataset in this order, that of a TrainingJob with tuning the last two."""

    READING = "Reading"
    LOADING = "Loading"
    BUILDING = "Building"
    VALIDATING = "Validating"
    PUBLISHING = "Publishing"
    TUNING = "Tuning"
    TRAINING = "Training"


class StepProgress(StatusModel):
    """Where a step is."""

    phase: str
    """What it does now, one CamelCase word."""
    done: int = 0
    """Units done in this phase: rows, or trials."""
    total: int | None = None
    """Units of this phase, where known."""
    since: datetime
    """When the phase began."""
    waiting_for: str = ""
    """Clause that says which service does not answer, where one is waited for."""
    tuning: TuningProgress | None = None
    """How far the trials of all workers are, where there are any."""
