"""The chi-square distribution, as much of it as drift needs: SciPy has it, and takes 30 MB to be imported."""

from __future__ import annotations

import math
from functools import lru_cache

_HALVINGS = 80


def survival(value: float, freedom: int) -> float:
    """Probability that a chi-square of ``freedom`` degrees is above ``value``.

    A finite sum for whole degrees: of an exponential for even ones, beside the normal distribution for odd ones.
    """
    if value <= 0:
        return 1.0
    half = value / 2
    if freedom % 2 == 0:
        term = total = math.exp(-half)
        for step in range(1, freedom // 2):
            term *= half / step
            total += term
        return min(total, 1.0)
    total = math.erfc(math.sqrt(half))
    term = 2 * math.sqrt(half / math.pi) * math.exp(-half)
    for step in range(1, (freedom + 1) // 2):
        total += term
        term *= half / (step + 0.5)
    return min(total, 1.0)


@lru_cache(maxsize=4096)
def critical(probability: float, freedom: int) -> float:
    """The value that a chi-square is above with this probability, which must lie between 0 and 1."""
    high = 1.0
    while survival(high, freedom) > probability:
        high *= 2
    low = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if survival(middle, freedom) > probability else (low, middle)
    return high
