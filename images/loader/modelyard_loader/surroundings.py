"""What a step of the loader works with, made once at the entry so that nothing below asks for it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from modelyard_api.contract.steps import SOURCE_DIRECTORY
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.progress import Progress
from modelyard_runtime.s3 import ObjectStore


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Surroundings:
    """The places that a step works on, and who tells it the time."""

    store: ObjectStore
    postgres: Postgres
    scratch: Path
    """Empty local directory of the step's own."""
    secrets: Path = Path(SOURCE_DIRECTORY)
    """Where the keys of the source's Secret are, as files."""
    clock: Callable[[], datetime] = utc_now
    progress: Progress = field(default_factory=Progress)
    environment: Mapping[str, str] = field(default_factory=dict)
