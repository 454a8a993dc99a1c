"""How much memory an attempt gets after one that ran out of it, and what to ask for after one that did not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from modelyard_api.contract.outcome import Failure
from modelyard_api.quantities import bytes_of, memory_quantity
from modelyard_api.v1alpha1.common import ResourceRequirements
from modelyard_api.v1alpha1.training_job import SuggestedRequests

_MEMORY = "memory"
_CPU_MARGIN = Decimal("1.1")
_CPU_STEP = 50
"""Millicores that a suggestion is a multiple of, and the least of them."""
_MEMORY_MARGIN = Decimal("1.2")
_MEMORY_STEP = 16 * 2**20


@dataclass(frozen=True)
class Growth:
    """How a memory limit is raised, once, after an attempt that ran out of memory."""

    factor: Decimal = Decimal(1)
    most: int = 0
    """Bytes that no limit is raised beyond; 0 raises none."""


@dataclass(frozen=True)
class Memory:
    """What a step's attempts have of memory beyond what was asked for."""

    raised: str = ""
    """Limit since an attempt ran out of memory; empty where none did."""
    next: str = ""
    """Limit of the attempt after one that runs out of memory; empty where there is to be none."""


AS_ASKED = Memory()
"""Attempts have what was asked for, whatever happens."""


def raised_limit(resources: ResourceRequirements, growth: Growth) -> str:
    """The limit after the present one was too low; empty where there is no higher one."""
    present = bytes_of(resources.limits.get(_MEMORY))
    if not present:
        return ""
    wanted = min(int(present * growth.factor), growth.most)
    return memory_quantity(wanted) if wanted > present else ""


def with_memory_limit(resources: ResourceRequirements, limit: str) -> ResourceRequirements:
    """The resources with this limit, unless theirs is higher by now; reserved is what is known to be too little."""
    present, wanted = bytes_of(resources.limits.get(_MEMORY)), bytes_of(limit)
    if wanted is None or present is None or present >= wanted:
        return resources
    return ResourceRequirements(
        requests={**resources.requests, _MEMORY: resources.limits[_MEMORY]},
        limits={**resources.limits, _MEMORY: limit},
    )


def advised(failure: Failure, memory: Memory) -> Failure:
    """A failure for want of memory with what is done, or to be done, about it."""
    if memory.raised:
        remedy = (
            f"That was raised to {memory.raised} already: make a new TrainingJob with more in spec.resources"
        )
    elif memory.next:
        remedy = f"The next attempt gets {memory.next}"
    else:
        return failure
    return failure.model_copy(update={"remedy": remedy})


def suggested_requests(
    cpu_seconds: float, seconds: float | None, peak_memory: int
) -> SuggestedRequests | None:
    """Requests that fit what was used; None where it is not known for how long."""
    if not seconds or seconds <= 0:
        return None
    millicores = Decimal(str(cpu_seconds)) / Decimal(str(seconds)) * 1000 * _CPU_MARGIN
    steps = max(int((millicores / _CPU_STEP).to_integral_value(ROUND_CEILING)), 1)
    room = (peak_memory * _MEMORY_MARGIN / _MEMORY_STEP).to_integral_value(ROUND_CEILING)
    return SuggestedRequests(
        cpu=f"{steps * _CPU_STEP}m", memory=memory_quantity(max(int(room), 1) * _MEMORY_STEP)
    )
