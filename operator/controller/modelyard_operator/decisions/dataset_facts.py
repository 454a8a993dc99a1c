"""What is seen around a Dataset, and what is decided from it."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api.conditions import Observation
from modelyard_api.v1alpha1.dataset_status import DatasetStatus
from modelyard_operator.decisions.attempts import StepFacts
from modelyard_operator.decisions.due import Parent
from modelyard_operator.decisions.plan import Plan, Refusal
from modelyard_operator.objects.steps import Due, Page, StepEnd
from modelyard_operator.objects.workloads import Job


@dataclass(frozen=True)
class DatasetFacts:
    """What is seen around a Dataset."""

    step: StepFacts
    """Jobs of the present step."""
    outdated: tuple[Job, ...] = ()
    """Jobs of earlier recipes that still run, and of steps that ended long ago."""
    bucket: str = ""
    refusal: Refusal | None = None
    """Why the Job cannot be made, where that was tried."""
    parent: Parent = None
    circle: str = ""
    """What is wrong where the Dataset is made from itself."""
    page: Page | None = None
    """What the pod of the present step says of itself."""


@dataclass(frozen=True)
class DatasetPlan(Plan[DatasetStatus]):
    """A plan that also says which step is started, and which one ended."""

    due: Due | None = None
    ended: StepEnd | None = None
    announce: Observation | None = None
    """What is worth an event, besides changes of conditions."""
