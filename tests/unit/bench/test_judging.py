import sys
from pathlib import Path

import pytest

from tests.bench.data.goals import goals
from tests.bench.data.programs import run
from tests.bench.data.stepping import source_rows
from tests.bench.figures import Figure, summarise
from tests.bench.judging import Goal, judged
from tests.support.loading import california_variants

FAST = Goal("ours", "rows", "rate", "", 1.5, at_least=True)
SMALL = Goal("ours", "rows", "memory", "MiB", 512)


def figure(name: str, value: float, contender: str = "ours") -> Figure:
    return Figure("rows", contender, name, "", value)


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [(FAST, 1.5, "kept"), (FAST, 1.49, "MISSED"), (SMALL, 512, "kept"), (SMALL, 513, "MISSED")],
)
def test_a_goal_is_kept_up_to_its_limit_and_missed_beyond(goal: Goal, value: float, verdict: str) -> None:
    line = judged([goal], summarise([figure(goal.figure, value), figure(goal.figure, 1000, "a peer")]))
    assert line.startswith(f"{verdict}: {goal.promise}; measured ")


def test_a_goal_without_a_figure_is_not_kept() -> None:
    assert judged([FAST], []) == "not measured: rows: rate at least 1.5"


def test_every_goal_of_the_data_part_is_about_another_figure() -> None:
    promises = [(goal.case, goal.figure) for goal in goals(1_000_000, 10_000_000)]
    assert len(set(promises)) == len(promises) == 9


def test_a_program_answers_with_its_own_time_and_what_it_used(tmp_path: Path) -> None:
    program = "import sys; sys.stdout.write('{\"seconds\": 0.5}')"
    ran = run([sys.executable, "-c", program], tmp_path / "log")
    assert ran.seconds == 0.5
    assert ran.wall_seconds > 0
    assert ran.peak_mebibytes > 1


def test_a_program_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such luck"):
        run([sys.executable, "-c", "import sys; sys.exit('no such luck')"], tmp_path / "log")


def test_no_recipe_is_that_of_another_round() -> None:
    assert california_variants("4.9") != california_variants("4.8")


def test_the_source_has_rows_left_after_the_last_step() -> None:
    assert source_rows(1000, 3) - (1000 + 3 * 30_000) > 0
