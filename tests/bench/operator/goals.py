"""What the operator promises, and whether the figures keep it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.figures import Figure, Summary, shown
from tests.bench.operator.contenders import MODELYARD, PLAIN_KOPF

_WALL = "wall, first apply to last Job"
_RELATIVE = "wall relative to plain kopf"


@dataclass(frozen=True)
class Goal:
    """A figure of the operator and what it may be at most."""

    case: str
    figure: str
    unit: str
    limit: float


GOALS = (
    Goal("1,000 objects", _RELATIVE, "", 0.6),
    Goal("1,000 objects", _WALL, "s", 5),
    Goal("1,000 objects", "writes an object", "", 3),
    Goal("1,000 objects", "RSS peak of the operator", "MiB", 150),
    Goal("one object, idle", "apply to Job, p50", "ms", 10),
    Goal("edits among 1,000 objects", "edit to action, p99", "ms", 1000),
    Goal("at rest with 1,000 objects", "writes a minute", "", 0),
)


def relative(figures: Sequence[Figure]) -> Iterator[Figure]:
    """The operator's wall over that of plain kopf, case by case: meant for one round, so that both met the same noise."""
    walls = {(f.case, f.contender): f.value for f in figures if f.figure == _WALL}
    for (case, contender), wall in walls.items():
        peer = walls.get((case, PLAIN_KOPF))
        if contender == MODELYARD and peer:
            yield Figure(case, MODELYARD, _RELATIVE, "", wall / peer)


def judgement(summaries: Sequence[Summary]) -> str:
    """One line a goal: what was promised, what was measured, kept or missed."""
    return "\n".join(_judged(goal, summaries) for goal in GOALS)


def _judged(goal: Goal, summaries: Sequence[Summary]) -> str:
    promise = f"{goal.case}: {goal.figure} at most {shown(goal.limit)} {goal.unit}".rstrip()
    for s in summaries:
        if (s.contender, s.case, s.figure) == (MODELYARD, goal.case, goal.figure):
            verdict = "kept" if s.median <= goal.limit else "MISSED"
            return f"{verdict}: {promise}; measured {s.cell}"
    return f"not measured: {promise}"
