"""How small steps are handed to the warm loader of a project, and how it answers.

The operator writes each step into a ConfigMap, one key a step, which the pod sees as files; the pod answers on a page.
The pod has no token and writes nothing into the cluster. A step is there from when it is handed over until its answer
is in the status, so that nothing is lost with a pod: the next one carries it out again.
"""

from __future__ import annotations

from datetime import datetime

from modelyard_api.base import StatusModel
from modelyard_api.contract.progress import StepProgress
from modelyard_api.contract.steps import Step

STEPS_MAP = "modelyard-loader-steps"
"""ConfigMap of a project that holds the steps at hand."""
STEPS_DIRECTORY = "/etc/modelyard/steps"
STEPS_VARIABLE = "MODELYARD_STEPS"
"""Names another directory of steps, outside a pod."""
WARM_DIRECTORY_VARIABLE = "MODELYARD_WARM_DIRECTORY"
"""Names another directory for what the warm loader keeps; one below that for temporary files if unset."""
WARM_PATH = "/steps"
WARM_ARGUMENT = "warm"
"""Argument by which the loader's image becomes the warm loader."""


class WarmStep(StatusModel):
    """A step that is handed over; its name is that of the Job that it would be otherwise."""

    step: Step
    marks: dict[str, str] = {}
    """Annotations of that Job, by which the operator knows the step again."""
    handed_at: datetime
    """When it was handed over; one that is handed over anew is carried out anew."""


class WarmState(StatusModel):
    """How far a step is that the pod has begun."""

    handed_at: datetime
    """Of the ``WarmStep`` that this is about."""
    begun_at: datetime
    ended_at: datetime | None = None
    progress: StepProgress | None = None
    """How far it is, while it runs."""
    exit_code: int = 0
    message: str = ""
    """What would be its termination message, once it ended."""


class WarmPage(StatusModel):
    """Answer of the pod at ``WARM_PATH``: what it has begun, by name, of the steps that are handed over."""

    steps: dict[str, WarmState] = {}
