"""Rules: checked against columns before anything is built, and judged on rows that keep or break them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from modelyard_api.contract.manifest import Column, ColumnStatistics
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.validation import Rule, Severity
from modelyard_loader.validation.judging import Candidate, Judgement, Verdict, judge
from modelyard_loader.validation.rulebook import Judged, rulebook
from modelyard_runtime.errors import DataError, InvalidSpecError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAN, INFINITY = float("nan"), float("inf")
KINDS = {
    "id": ColumnType.INTEGER,
    "n": ColumnType.INTEGER,
    "x": ColumnType.NUMBER,
    "ok": ColumnType.BOOLEAN,
    "t": ColumnType.TEXT,
}
COLUMNS = tuple(Column(name=name, type=kind) for name, kind in KINDS.items())
TABLE = pa.table(
    {
        "id": pa.array([1, 2, 3, 4, 5, 6, 7, 8], pa.int64()),
        "n": pa.array([1, 1, 2, None, None, 2**62, -(2**62), 5], pa.int64()),
        "x": pa.array([0.0, -0.0, NAN, None, INFINITY, -1.5, 0.3, NAN], pa.float64()),
        "ok": pa.array([True, False, None, True, True, True, True, True], pa.bool_()),
        "t": pa.array(["a", "b", "", None, "a", "A1", "n/a", "a\nb"], pa.string()),
    }
)


@dataclass
class Reading:
    """A version in memory that counts how often it is read, and what of it."""

    table: pa.Table = field(default_factory=lambda: TABLE)
    read: list[Sequence[str]] = field(default_factory=list)

    def batches(self, names: Sequence[str]) -> Iterable[pa.RecordBatch]:
        """The rows in uneven batches."""
        self.read.append(names)
        batches: list[pa.RecordBatch] = self.table.select(list(names)).to_batches(max_chunksize=3)
        return batches

    def candidate(self, variant: str = "v1", statistics: Sequence[ColumnStatistics] = ()) -> Candidate:
        """As the publisher hands it over."""
        return Candidate(variant, self.table.num_rows, COLUMNS, statistics, self.batches)


def verdict(
    *rules: dict[str, Any], reading: Reading | None = None, statistics: Sequence[ColumnStatistics] = ()
) -> Verdict:
    """What rules say of the table."""
    book = rulebook([Rule.model_validate(each) for each in rules], [Judged("v1", None, ("id",), COLUMNS)])
    return judge(book, [(reading or Reading()).candidate(statistics=statistics)], NOW)


def judged(
    rule: dict[str, Any], reading: Reading | None = None, statistics: Sequence[ColumnStatistics] = ()
) -> Judgement:
    """What one rule says of the table."""
    return verdict(rule, reading=reading, statistics=statistics).judgements[0]


@pytest.mark.parametrize(
    ("rule", "observed"),
    [
        ({"rule": "rowCount"}, "8"),
        ({"rule": "nullValues", "column": "n"}, "2"),
        ({"rule": "nullValues", "column": "x"}, "1"),
        ({"rule": "nullValues", "column": "t"}, "1"),
        ({"rule": "missingValues", "column": "n"}, "2"),
        ({"rule": "missingValues", "column": "x"}, "3"),
        ({"rule": "missingValues", "column": "t"}, "2"),
        ({"rule": "missingValues", "column": "t", "missingValues": ["n/a", "it's"]}, "3"),
        ({"rule": "missingValues", "column": "n", "missingValues": ["5.0", "-1"]}, "3"),
        ({"rule": "missingValues", "column": "x", "missingValues": ["0"]}, "5"),
        ({"rule": "missingValues", "column": "ok", "missingValues": ["False"]}, "2"),
        ({"rule": "invalidValues", "column": "t", "validValues": ["a", "b"]}, "4"),
        ({"rule": "invalidValues", "column": "t", "pattern": "[a-z]"}, "4"),
        ({"rule": "invalidValues", "column": "t", "pattern": "(?s)[a-z].*"}, "2"),
        ({"rule": "invalidValues", "column": "t", "pattern": "[a-z]", "validValues": ["a", "A1"]}, "5"),
        ({"rule": "invalidValues", "column": "n", "validValues": ["1", "2"]}, "3"),
        ({"rule": "invalidValues", "column": "x", "validValues": ["0", "0.3"]}, "2"),
        ({"rule": "invalidValues", "column": "ok", "validValues": ["true"]}, "1"),
        ({"rule": "range", "column": "n", "min": "1"}, "1"),
        ({"rule": "range", "column": "n", "max": "4.5"}, "2"),
        ({"rule": "range", "column": "n", "max": "4611686018427387904"}, "0"),
        ({"rule": "range", "column": "n", "max": "4611686018427387903"}, "1"),
        ({"rule": "range", "column": "n", "min": "-1e300", "max": "1e300"}, "0"),
        ({"rule": "range", "column": "n", "min": "1e300"}, "6"),
        ({"rule": "range", "column": "x", "min": "0", "max": "0.3"}, "2"),
        ({"rule": "range", "column": "x", "max": "1e308"}, "1"),
        ({"rule": "duplicateValues", "column": "n"}, "1"),
        ({"rule": "duplicateValues", "column": "x"}, "1"),
        ({"rule": "duplicateValues", "column": "t"}, "1"),
        ({"rule": "duplicateValues", "columns": ["t", "ok"]}, "1"),
        ({"rule": "duplicateValues", "columns": ["id", "t"]}, "0"),
        ({"rule": "sql", "query": "SELECT count(*) FROM rows WHERE n > x"}, "3"),
        ({"rule": "sql", "query": "SELECT avg(n) FROM rows WHERE n < 10 AND n > 0"}, "2.25"),
        ({"rule": "sql", "query": "SELECT sum(id) AS total FROM rows"}, "36"),
        ({"rule": "sql", "query": "SELECT bool_or(ok) FROM rows"}, "1"),
        ({"rule": "sql", "query": "SELECT max(x) FROM rows WHERE x > 5 AND x < 5"}, "no number"),
        ({"rule": "sql", "query": "SELECT max(x) FROM rows"}, "no number"),
        (
            {"rule": "nullValues", "column": "n", "unit": "percent", "mustBeLessThan": "30"},
            "25 % (2 of 8 rows)",
        ),
        (
            {"rule": "duplicateValues", "column": "t", "unit": "percent", "mustBe": "12.5"},
            "12.5 % (1 of 8 rows)",
        ),
    ],
)
def test_what_is_counted(rule: dict[str, Any], observed: str) -> None:
    assert judged(rule).observed == observed


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ({"rule": "nullValues", "column": "n"}, False),
        ({"rule": "nullValues", "column": "n", "mustBe": "2"}, True),
        ({"rule": "nullValues", "column": "n", "mustBeLessOrEqualTo": "25", "unit": "percent"}, True),
        ({"rule": "nullValues", "column": "n", "mustBeLessThan": "25", "unit": "percent"}, False),
        ({"rule": "rowCount", "mustBeBetween": ["8", "9"]}, True),
        ({"rule": "rowCount", "mustNotBeBetween": ["8", "9"]}, False),
        ({"rule": "range", "column": "x", "min": "-2"}, True),
        ({"rule": "sql", "query": "SELECT max(x) FROM rows WHERE id > 100", "mustBeLessThan": "5"}, False),
        ({"rule": "sql", "query": "SELECT min(x) FROM rows", "mustBe": "-1.5"}, True),
    ],
)
def test_what_is_kept_and_what_is_broken(rule: dict[str, Any], passed: bool) -> None:  # noqa: FBT001  of a table
    assert judged(rule).passed is passed


def test_the_shares_of_no_rows_are_zero() -> None:
    rule = {"rule": "nullValues", "column": "n", "unit": "percent", "mustBe": "0"}
    assert judged(rule, reading=Reading(TABLE.slice(0, 0))).passed
    assert not judged({"rule": "rowCount"}, reading=Reading(TABLE.slice(0, 0))).passed


@pytest.mark.parametrize(
    ("rule", "message", "remedy"),
    [
        (
            {"rule": "nullValues", "column": "N"},
            "spec.validation[0].column = 'N': is not a column of variant v1",
            "Did you mean n?",
        ),
        (
            {"rule": "duplicateValues", "columns": ["t", "okay"]},
            "spec.validation[0].columns = 'okay': is not a column of variant v1",
            "Did you mean ok?",
        ),
        (
            {"rule": "rowCount", "variant": "v2"},
            "spec.validation[0].variant = 'v2': is not a variant of this Dataset",
            "There are v1",
        ),
        (
            {"rule": "range", "column": "t", "min": "0"},
            "spec.validation[0].column = 't': is of type Text, which has no range",
            "Name a column of type Integer or Number, or use invalidValues",
        ),
        (
            {"rule": "invalidValues", "column": "n", "pattern": "[0-9]"},
            "spec.validation[0].pattern = '[0-9]': column n is of type Integer, and only texts match patterns",
            "Use range or validValues",
        ),
        (
            {"rule": "invalidValues", "column": "t", "pattern": "(?=a)"},
            "spec.validation[0].pattern = '(?=a)': is not a regular expression of RE2",
            "Correct it; RE2 has no backreferences and no look-around",
        ),
        (
            {"rule": "invalidValues", "column": "n", "validValues": ["1", "1.5"]},
            "spec.validation[0].validValues = '1.5': is not a value that column n of type Integer can have",
            "Write values of the column's type",
        ),
        (
            {"rule": "missingValues", "column": "x", "missingValues": ["none"]},
            "spec.validation[0].missingValues = 'none': is not a value that column x of type Number can have",
            "Write values of the column's type",
        ),
        (
            {"rule": "missingValues", "column": "n", "missingValues": ["1e999999999"]},
            "spec.validation[0].missingValues = '1e999999999': is not a value",
            "Write values of the column's type",
        ),
        (
            {"rule": "sql", "query": "SELECT count(*) FROM rows WHERE y > 1"},
            "spec.validation[0].query = 'SELECT count(*) FROM rows WHERE y > 1': unknown column y",
            "",
        ),
        (
            {"rule": "sql", "query": "DELETE FROM rows"},
            "spec.validation[0].query = 'DELETE FROM rows': is not a SELECT",
            "Write SELECT … FROM rows",
        ),
        (
            {"rule": "sql", "query": "SELECT count(*) FROM pg_class"},
            "spec.validation[0].query = 'SELECT count(*) FROM pg_class': reads something else",
            "",
        ),
        (
            {"rule": "sql", "query": "SELECT t FROM rows"},
            "spec.validation[0].query = 'SELECT t FROM rows': answers VARCHAR, not a number",
            "Count, or cast it to bigint or double",
        ),
        (
            {"rule": "sql", "query": "SELECT n, x FROM rows"},
            "spec.validation[0].query = 'SELECT n, x FROM rows': answers 2 columns",
            "Write a query that answers one",
        ),
    ],
)
def test_a_rule_that_does_not_fit_the_columns_is_refused_before_anything_is_built(
    rule: dict[str, Any], message: str, remedy: str
) -> None:
    reading = Reading()
    with pytest.raises(InvalidSpecError) as caught:
        verdict(rule, reading=reading)
    assert caught.value.message.startswith(message)
    assert caught.value.remedy.startswith(remedy)
    assert not reading.read


def test_a_query_that_fails_on_a_value_names_the_rule() -> None:
    with pytest.raises(DataError, match=r"spec.validation\[0\].query = .* a value does not fit") as caught:
        judged({"rule": "sql", "query": "SELECT sum(cast(t AS bigint)) FROM rows"})
    assert caught.value.remedy.startswith("Use try_cast")


def test_a_query_that_answers_no_row_names_the_rule() -> None:
    query = "SELECT max(n) FROM rows GROUP BY ok HAVING max(n) < 0"
    with pytest.raises(DataError, match=r"spec.validation\[0\].query = .*: answers no row"):
        judged({"rule": "sql", "query": query})


def test_a_query_that_answers_many_rows_names_the_rule() -> None:
    with pytest.raises(
        DataError, match=r"spec.validation\[0\].query = 'SELECT n FROM rows': answers more than one row"
    ):
        judged({"rule": "sql", "query": "SELECT n FROM rows"})


def test_counts_of_a_variant_take_one_pass_and_what_remembers_values_one_of_its_own() -> None:
    reading = Reading()
    rules: list[dict[str, Any]] = [
        {"rule": "nullValues", "column": "n"},
        {"rule": "range", "column": "x", "min": "0"},
        {"rule": "duplicateValues", "column": "x"},
        {"rule": "missingValues", "column": "x"},
        {"rule": "rowCount"},
    ]
    assert [each.observed for each in verdict(*rules, reading=reading).judgements] == [
        "2",
        "1",
        "1",
        "3",
        "8",
    ]
    assert reading.read == [["n", "x"], ["x"]]


def test_what_the_statistics_prove_takes_no_pass() -> None:
    reading = Reading()
    statistics = [
        ColumnStatistics(name="n", missing=2, minimum=1, maximum=2**62),
        ColumnStatistics(name="x", missing=0, minimum=0.5, maximum=2.5),
        ColumnStatistics(name="t", missing=3),
    ]
    rules: list[dict[str, Any]] = [
        {"rule": "rowCount"},
        {"rule": "nullValues", "column": "n"},
        {"rule": "missingValues", "column": "n"},
        {"rule": "nullValues", "column": "x"},
        {"rule": "nullValues", "column": "t"},
        {"rule": "range", "column": "n", "min": "1", "max": "1e19"},
        {"rule": "range", "column": "n", "max": str(2**62)},
        {"rule": "range", "column": "x", "min": "0.5"},
        {"rule": "duplicateValues", "columns": ["t", "id"]},
    ]
    found = verdict(*rules, reading=reading, statistics=statistics)
    assert [each.observed for each in found.judgements] == ["8", "2", "2", "0", "3", "0", "0", "0", "0"]
    assert not reading.read


@pytest.mark.parametrize(
    ("rule", "statistics"),
    [
        ({"rule": "nullValues", "column": "x"}, ColumnStatistics(name="x", missing=3)),
        (
            {"rule": "range", "column": "x", "max": "9"},
            ColumnStatistics(name="x", missing=3, infinite=1, minimum=-1.5, maximum=0.3),
        ),
        (
            {"rule": "range", "column": "n", "max": str(2**62 - 1)},
            ColumnStatistics(name="n", missing=2, minimum=-(2**62), maximum=2**62),
        ),
        (
            {"rule": "range", "column": "n", "max": "4"},
            ColumnStatistics(name="n", missing=2, minimum=1, maximum=5),
        ),
        ({"rule": "missingValues", "column": "t"}, ColumnStatistics(name="t", missing=1)),
        (
            {"rule": "missingValues", "column": "n", "missingValues": ["5"]},
            ColumnStatistics(name="n", missing=2),
        ),
        ({"rule": "nullValues", "column": "n"}, ColumnStatistics(name="x", missing=0)),
    ],
)
def test_what_the_statistics_do_not_prove_is_counted(
    rule: dict[str, Any], statistics: ColumnStatistics
) -> None:
    reading = Reading()
    assert judged(rule, reading=reading, statistics=[statistics]) == judged(rule)
    assert len(reading.read) == 1


def test_duplicates_of_a_part_of_the_key_are_counted() -> None:
    reading = Reading()
    book = rulebook(
        [Rule.model_validate({"rule": "duplicateValues", "column": "t"})],
        [Judged("v1", None, ("id", "t"), COLUMNS)],
    )
    assert judge(book, [reading.candidate()], NOW).judgements[0].observed == "1"
    assert reading.read == [["t"]]


def _three(*rules: dict[str, Any]) -> Verdict:
    variants = [
        Judged("v1", None, ("id",), COLUMNS),
        Judged("v2", "v1", ("id",), COLUMNS),
        Judged("v3", "v2", ("id",), COLUMNS),
        Judged("other", None, ("id",), COLUMNS),
    ]
    book = rulebook([Rule.model_validate(each) for each in rules], variants)
    return judge(book, [Reading().candidate(variant.name) for variant in variants], NOW)


def test_a_broken_error_blocks_the_variant_and_those_that_start_from_it() -> None:
    found = _three({"rule": "nullValues", "column": "n", "variant": "v2"})
    assert found.blocked == {"v2", "v3"}


def test_a_broken_warning_blocks_nothing() -> None:
    found = _three({"rule": "nullValues", "column": "n", "variant": "v2", "severity": "Warning"})
    assert not found.blocked
    status = found.status(3)
    assert (status.sequence, status.passed, status.warnings, status.errors) == (3, 0, 1, 0)


def test_a_rule_without_a_variant_is_about_the_first() -> None:
    assert _three({"rule": "nullValues", "column": "n"}).blocked == {"v1", "v2", "v3"}


def test_the_short_form_shows_errors_before_warnings_and_ten_at_most() -> None:
    warning = {"rule": "nullValues", "column": "n", "severity": "Warning"}
    error = {"rule": "missingValues", "column": "t", "mustBeLessThan": "2"}
    status = verdict(*[warning] * 9, *[error] * 3, {"rule": "rowCount"}).status(1)
    assert (status.passed, status.warnings, status.errors) == (1, 9, 3)
    assert [each.severity for each in status.broken] == [Severity.ERROR] * 3 + [Severity.WARNING] * 7
    first = status.broken[0]
    assert (first.rule, first.variant, first.observed, first.required) == (
        "missingValues(t)",
        "v1",
        "2",
        "< 2",
    )
    assert [each.rule for each in status.broken[1:3]] == ["missingValues(t) #2", "missingValues(t) #3"]


def test_a_result_has_room_in_the_status_whatever_the_rule_is() -> None:
    long = {
        "mustBeGreaterThan": "0.000000000000000000000000000001",
        "mustNotBe": "0.000000000000000000000000000002",
    }
    rule = {
        "rule": "duplicateValues",
        "columns": ["t", "ok", "n"],
        "unit": "percent",
        **long,
        "mustBeLessThan": "9e-20",
    }
    names = {"columns": ["t", "ok", "n", "x"] * 4}
    status = verdict(
        {**rule, "mustBeLessThan": "1"}, {"rule": "duplicateValues", **names, "mustBe": "5"}
    ).status(1)
    assert status.model_validate(status.to_wire()) == status
