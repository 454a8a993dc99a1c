"""What Datasets promise."""

from collections.abc import Sequence

from tests.bench.data import building, idle, loading, stepping
from tests.bench.data.names import DUCKDB_S3, MODELYARD
from tests.bench.figures import Summary
from tests.bench.judging import Goal, judged

_MEMORY_MEBIBYTES = 512


def goals(rows: int, many: int) -> tuple[Goal, ...]:
    """Goals of a run with so many rows."""
    onto = stepping.step_case(many)
    memory = [stepping.first_case(many), onto, stepping.edit_case(many)]
    return (
        Goal(MODELYARD, loading.case(rows), loading.RELATIVE_TO_PSQL, "", 1.5, at_least=True),
        Goal(MODELYARD, loading.case(rows), loading.RELATIVE_TO_PANDAS, "", 20, at_least=True),
        Goal(MODELYARD, onto, stepping.relative_figure(rows), "", 1.3),
        Goal(MODELYARD, building.case(rows), building.RELATIVE[DUCKDB_S3], "", 1.5),
        Goal(MODELYARD, idle.CASE, idle.WRITES, "", 0),
        Goal(MODELYARD, idle.CASE, idle.PODS, "", 0),
        *(Goal(MODELYARD, case, stepping.MEMORY, "MiB", _MEMORY_MEBIBYTES) for case in memory),
    )


def judgement(summaries: Sequence[Summary], rows: int, many: int) -> str:
    """One line a goal: what was promised, what was measured, kept or missed."""
    return judged(goals(rows, many), summaries)
