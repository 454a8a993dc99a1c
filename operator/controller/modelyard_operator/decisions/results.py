"""What a run came to, in the words of a TrainingJob's status."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modelyard_api.v1alpha1.common import NamedValue
from modelyard_api.v1alpha1.training_job import NOT_SERVABLE_LIMIT, Usage
from modelyard_operator.decisions.memory import suggested_requests

_METRICS = 20


def short(value: float) -> str:
    """A number as wide as a column."""
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.4g}"  # noqa: PLR2004  width of a column


def shown_metrics(found: Mapping[str, float], primary: str) -> list[NamedValue]:
    """As many as a status holds, the primary one first; those that are no number are left out."""
    values = {name: value for name, value in found.items() if math.isfinite(value)}
    names = sorted(values, key=lambda name: name != primary)[:_METRICS]
    return [NamedValue(name=name, value=repr(values[name])) for name in names]


def shortened(reason: str) -> str | None:
    """A reason as long as the status holds; None for an empty one."""
    return reason[:NOT_SERVABLE_LIMIT] if reason else None


def usage_of(cpu_seconds: float | None, seconds: float | None, peak_memory_bytes: int | None) -> Usage | None:
    """Of a pod whose work was measured."""
    if cpu_seconds is None or peak_memory_bytes is None:
        return None
    return Usage(
        cpu_seconds=f"{cpu_seconds:.1f}",
        peak_memory_bytes=peak_memory_bytes,
        suggested_requests=suggested_requests(cpu_seconds, seconds, peak_memory_bytes),
    )
