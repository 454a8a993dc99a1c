"""Whether counts say that a version breaks a limit, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from modelyard_api.v1alpha1.reasons import PromotionReason
from modelyard_api.v1alpha1.rollout import RolloutCounts

EARLY = 1e-4
"""Chance at which a version within its limit is stopped before its time by one look; looks are many."""
_SLOW_PERCENT = "1"
_SLOW_CHANCE = 0.05
"""A single slow answer among few says nothing; at the end of a step chance has to explain them this badly."""


@dataclass(frozen=True)
class Breach:
    """Why a version has to give way."""

    reason: PromotionReason
    message: str


@dataclass(frozen=True)
class Limits:
    """What a version must keep to; what is None is not judged."""

    error_percent: str | None = None
    latency_seconds: str | None = None
    disagreement_percent: str | None = None


def judge_counts(version: str, counts: RolloutCounts, limits: Limits, *, final: bool) -> Breach | None:
    """The limit that is broken. ``final`` judges shares as they are, else only what chance does not explain."""
    early = None if final else EARLY
    if limits.error_percent is not None and exceeds(
        counts.errors, counts.requests, limits.error_percent, early
    ):
        return Breach(
            PromotionReason.TOO_MANY_ERRORS,
            f"version {version} failed to answer {counts.errors} of {counts.requests} requests, "
            f"{limits.error_percent} % are allowed",
        )
    slow_chance = _SLOW_CHANCE if final else EARLY
    if limits.latency_seconds is not None and exceeds(
        counts.slow, counts.requests, _SLOW_PERCENT, slow_chance
    ):
        return Breach(
            PromotionReason.TOO_SLOW,
            f"{counts.slow} of {counts.requests} answers of version {version} took longer than "
            f"{limits.latency_seconds} s, one of 100 may",
        )
    if limits.disagreement_percent is not None and exceeds(
        counts.disagreed, counts.compared, limits.disagreement_percent, early
    ):
        return Breach(
            PromotionReason.TOO_MUCH_DISAGREEMENT,
            f"version {version} answered {counts.disagreed} of {counts.compared} rows otherwise than the champion, "
            f"{limits.disagreement_percent} % are allowed",
        )
    return None


def exceeds(count: int, total: int, percent: str, chance: float | None = None) -> bool:
    """Whether a share is above a percent, and where a chance is given, less likely than it to be so by accident."""
    allowed = float(percent) / 100
    if count <= allowed * total:
        return False
    return chance is None or binomial_tail(count, total, allowed) < chance


def binomial_tail(count: int, total: int, share: float) -> float:
    """Probability of at least ``count`` hits in ``total`` tries of probability ``share``, for counts above the mean."""
    if count <= 0 or share >= 1:
        return 1.0
    if count > total or share <= 0:
        return 0.0
    term = math.exp(
        math.lgamma(total + 1)
        - math.lgamma(count + 1)
        - math.lgamma(total - count + 1)
        + count * math.log(share)
        + (total - count) * math.log1p(-share)
    )
    tail = 0.0
    odds = share / (1 - share)
    for hits in range(count, total + 1):
        tail += term
        term *= (total - hits) / (hits + 1) * odds
        if term <= tail * 1e-12:
            break
    return min(tail, 1.0)
