"""Trials that were read before: an end is never taken back, so that nobody reads it twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from modelyard_trainer.tuning.trial import State, Trial

_BEFORE_ALL = -(2**31)


class History:
    """What one reader knows of a study.

    Trials are numbered without gaps in the order in which they begin, and many readings happen in one trial: without
    this a study of n trials would read n² of them.
    """

    def __init__(self) -> None:
        self._ended: list[Trial] = []

    @property
    def after(self) -> int:
        """Trials up to this number have all ended and are known."""
        return self._ended[-1].number if self._ended else _BEFORE_ALL

    def grown_by(self, read: Sequence[Trial]) -> list[Trial]:
        """All trials in the order of their numbers; ``read`` are those of higher numbers than ``after``, in order."""
        fresh = list(read)
        settled = list(takewhile(lambda trial: trial.state is not State.RUNNING, fresh))
        self._ended += settled
        return [*self._ended, *fresh[len(settled) :]]
