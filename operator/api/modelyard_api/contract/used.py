"""What work has taken of a machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelyard_api.base import StatusModel

_LONGEST_SECONDS = 1e9
_LARGEST_BYTES = 2**50


class Used(StatusModel):
    """What a process and its children have taken since it started."""

    cpu_seconds: Annotated[float, Field(ge=0, le=_LONGEST_SECONDS)]
    """CPU time."""
    peak_memory_bytes: Annotated[int, Field(ge=0, le=_LARGEST_BYTES)]
    """Largest resident set, or that of all of them together."""
    seconds: Annotated[float, Field(ge=0, le=_LONGEST_SECONDS)]
    """Since the process started."""
