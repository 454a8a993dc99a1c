"""Steps as decisions ask for them, resources make Jobs of them, and their pods and ends are seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from modelyard_api.contract.progress import StepProgress
from modelyard_api.v1alpha1.dataset_status import ParentVersion

DRY_RUN = "dry-run"
"""A request for retention that begins so only lists what would go."""
POLL_SECONDS = 5.0
"""Pause between two looks at how far a running step is."""


class StepKind(StrEnum):
    """What a step of a Dataset does; the names are those of ``contract.steps.Step``."""

    LOAD = "load"
    VERIFY = "verify"
    SWEEP = "sweep"
    REBUILD = "rebuild"


class Trigger(StrEnum):
    """Why a load is made now."""

    INITIAL = "Initial"
    EDIT = "Edit"
    REQUEST = "Request"
    SCHEDULE = "Schedule"
    INTERVAL = "Interval"
    SOURCE = "Source"


@dataclass(frozen=True)
class Due:
    """A step to be made, or that is being made."""

    kind: StepKind
    sequence: int
    percent: str = "100"
    refresh: bool = False
    trigger: str = ""
    request: str = ""
    """Value of the annotation that asks for the step, shortened to a token."""
    parent: ParentVersion | None = None

    @property
    def dry_run(self) -> bool:
        """Whether a sweep only lists what would go."""
        return self.request.startswith(DRY_RUN)

    def told(self) -> str:
        """The step in words."""
        match self.kind:
            case StepKind.LOAD if self.refresh:
                return f"Load {self.sequence}, of what is new in the source"
            case StepKind.LOAD:
                return f"Load {self.sequence}, up to {self.percent} %"
            case StepKind.VERIFY:
                return f"Second build of load {self.sequence}"
            case StepKind.SWEEP:
                return "List of what retention would remove" if self.dry_run else "Retention"
            case StepKind.REBUILD:
                return "Rebuild of the working copy"


@dataclass(frozen=True)
class Page:
    """What a pod said of itself, and when."""

    progress: StepProgress
    at: datetime


@dataclass(frozen=True)
class StepEnd:
    """A step that came to its end, for metrics."""

    kind: StepKind
    seconds: float | None
    failed: bool = False
    rows_loaded: int = 0
    rows_rejected: int = 0
    rules_broken: int = 0


@dataclass(frozen=True)
class References:
    """Content digests, loads and times of a Dataset that other resources refer to, in order."""

    digests: tuple[str, ...] = ()
    sequences: tuple[int, ...] = ()
    times: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Pinned:
    """A version that is not, or may not be, the latest: the trainer looks it up in the record."""

    dataset_uid: str
