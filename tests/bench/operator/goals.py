"""What the operator promises."""

from collections.abc import Iterator, Sequence

from tests.bench.figures import Figure, Summary
from tests.bench.judging import Goal, judged
from tests.bench.operator.contenders import MODELYARD, PLAIN_KOPF

_WALL = "wall, first apply to last Job"
_RELATIVE = "wall relative to plain kopf"

GOALS = (
    Goal(MODELYARD, "1,000 objects", _RELATIVE, "", 0.6),
    Goal(MODELYARD, "1,000 objects", _WALL, "s", 5),
    Goal(MODELYARD, "1,000 objects", "writes an object", "", 3),
    Goal(MODELYARD, "1,000 objects", "RSS peak of the operator", "MiB", 150),
    Goal(MODELYARD, "one object, idle", "apply to Job, p50", "ms", 10),
    Goal(MODELYARD, "edits among 1,000 objects", "edit to action, p99", "ms", 1000),
    Goal(MODELYARD, "at rest with 1,000 objects", "writes a minute", "", 0),
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
    return judged(GOALS, summaries)
