"""What training promises."""

from collections.abc import Sequence

from tests.bench.figures import Summary
from tests.bench.judging import Goal, judged
from tests.bench.training import fitting, searching
from tests.bench.training.names import MODELYARD

_WALL, _MEMORY = 1.15, 1.3


def goals(trials: int, rows: int) -> tuple[Goal, ...]:
    """Goals of a run with so many trials and rows."""
    grid = searching.case("grid", trials)
    return (
        Goal(MODELYARD, grid, searching.RELATIVE, "", _WALL),
        Goal(MODELYARD, grid, searching.TRIALS_RELATIVE, "", _WALL),
        Goal(MODELYARD, searching.case("tpe", trials), searching.WORK_RELATIVE, "", _WALL),
        Goal(MODELYARD, grid, searching.TIMES_FASTER, "", searching.TIMES, at_least=True),
        *(
            Goal(MODELYARD, fitting.memory_case(rows, estimator), fitting.MEMORY_RELATIVE, "", _MEMORY)
            for estimator in fitting.ESTIMATORS
        ),
    )


def judgement(summaries: Sequence[Summary], trials: int, rows: int) -> str:
    """One line a goal: what was promised, what was measured, kept or missed."""
    return judged(goals(trials, rows), summaries)
