from pathlib import Path

import pytest

from tests.bench.figures import Figure, shown, summarise, table, write_between, write_document
from tests.bench.operator.cases import percentile
from tests.bench.operator.contenders import MODELYARD, PLAIN_KOPF
from tests.bench.operator.goals import judgement, relative

WALL = "wall, first apply to last Job"


def rounds(*values: float) -> list[Figure]:
    return [Figure("1,000 objects", MODELYARD, WALL, "s", v) for v in values]


def test_a_summary_has_the_median_and_both_ends() -> None:
    (summary,) = summarise(rounds(3.0, 1.0, 2.5))
    assert (summary.median, summary.lowest, summary.highest) == (2.5, 1.0, 3.0)
    assert summary.cell == "2.5 (1 to 3)"


def test_the_document_has_the_ends_of_a_range_as_figures_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "build" / "operator.json"
    write_document(summarise(rounds(1.0, 3.0)), file)
    text = file.read_text()
    assert f'"figure": "{WALL}, lowest"' in text
    assert text.count('"case"') == 3


def test_figures_of_one_case_stand_together_whoever_brought_them() -> None:
    figures = [
        Figure("a", "x", "wall", "s", 1),
        Figure("b", "x", "wall", "s", 2),
        Figure("a", "y", "memory", "MiB", 3),
    ]
    rows = table(summarise(figures), ["x", "y"]).splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["a", "a", "b"]


def test_a_page_without_the_markers_is_refused_by_its_name(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here")
    with pytest.raises(ValueError, match=r"page\.md lacks the comments <!-- operator -->"):
        write_between(page, "operator", "table\n")


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- operator -->\nold\n<!-- end of operator -->\nafter\n")
    write_between(page, "operator", "new\n")
    assert page.read_text() == "before\n<!-- operator -->\nnew\n<!-- end of operator -->\nafter\n"


def test_the_ratio_is_of_walls_of_the_same_case() -> None:
    peer = [Figure("1,000 objects", PLAIN_KOPF, WALL, "s", 8.0), Figure("1 object", PLAIN_KOPF, WALL, "s", 1)]
    (ratio,) = relative([*rounds(2.0), *peer])
    assert (ratio.case, ratio.value) == ("1,000 objects", 0.25)


def test_a_goal_is_kept_or_missed_by_the_median() -> None:
    assert f"kept: 1,000 objects: {WALL} at most 5 s; measured 4 (1 to 9)" in judgement(
        summarise(rounds(1, 4, 9))
    )
    assert f"MISSED: 1,000 objects: {WALL} at most 5 s; measured 6" in judgement(summarise(rounds(6)))


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: int, value: int) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == value


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1234.5, "1,234"), (2.8449, "2.84"), (0.0123, "0.0123")]
)
def test_numbers_are_shown_with_three_digits_that_count(value: float, text: str) -> None:
    assert shown(value) == text
