"""Goals: what a part promises, and whether the figures keep it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.figures import Summary, shown


@dataclass(frozen=True)
class Goal:
    """A figure of a contender and what it may be at most, or must be at least."""

    contender: str
    case: str
    figure: str
    unit: str
    limit: float
    at_least: bool = False

    @property
    def promise(self) -> str:
        """What is promised, in words."""
        bound = "at least" if self.at_least else "at most"
        return f"{self.case}: {self.figure} {bound} {shown(self.limit)} {self.unit}".rstrip()

    def is_kept(self, value: float) -> bool:
        """Whether a measured value keeps the promise."""
        return value >= self.limit if self.at_least else value <= self.limit


def judged(goals: Sequence[Goal], summaries: Sequence[Summary]) -> str:
    """One line a goal: what was promised, what was measured, kept or missed."""
    return "\n".join(_line(goal, summaries) for goal in goals)


def _line(goal: Goal, summaries: Sequence[Summary]) -> str:
    for s in summaries:
        if (s.contender, s.case, s.figure) == (goal.contender, goal.case, goal.figure):
            return f"{'kept' if goal.is_kept(s.median) else 'MISSED'}: {goal.promise}; measured {s.cell}"
    return f"not measured: {goal.promise}"
