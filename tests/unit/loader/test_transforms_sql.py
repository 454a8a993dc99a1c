"""sql: which queries are accepted, what they answer, and what is said of the others."""

from pathlib import Path

import pyarrow as pa
import pytest

from modelyard_loader.transforms.queries import AGGREGATE_NAMES
from modelyard_runtime.errors import DataError, InvalidSpecError
from tests.support.transforms import built, marked

_ROWS = pa.table(
    {
        "id": [1, 2, 3, 4],
        "x": [1.0, 0.0, None, -4.0],
        "n": [7, 8, None, 10],
        "city": ["a", "b", "a", None],
        "flag": [True, False, None, True],
    }
)


def _answer(query: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = built(_ROWS, {"sql": {"query": query}})[0].to_pylist()
    return found


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT id, n * 2 AS twice FROM rows WHERE n > 7", [{"id": 2, "twice": 16}, {"id": 4, "twice": 20}]),
        (
            "select upper(city) as city, id from Rows where flag",
            [{"id": 1, "city": "A"}, {"id": 4, "city": None}],
        ),
        ("from rows where id = 3", [{"id": 3, "x": None, "n": None, "city": "a", "flag": None}]),
        (
            "SELECT min(id) AS id, city, count(*) AS many, sum(x) AS s FROM rows GROUP BY city HAVING count(*) > 1",
            [{"id": 1, "city": "a", "many": 2, "s": 1.0}],
        ),
        ("SELECT max(id) AS id, count(distinct city) AS c FROM rows", [{"id": 4, "c": 2}]),
        ("SELECT id, n / x AS ratio FROM rows WHERE id = 2", [{"id": 2, "ratio": None}]),
        ("SELECT id FROM rows WHERE false", []),
    ],
)
def test_a_query_answers_what_duckdb_answers(query: str, rows: list[dict[str, object]]) -> None:
    assert _answer(query) == rows


_CALLS = {"bool_and": "flag", "bool_or": "flag"}


@pytest.mark.parametrize("name", AGGREGATE_NAMES)
def test_every_allowed_aggregate_can_be_called(name: str) -> None:
    query = f"SELECT min(id) AS id, {name}({_CALLS.get(name, 'n')}) AS value FROM rows"  # noqa: S608
    assert _answer(query)[0]["value"] is not None


def test_the_documentation_lists_the_allowed_aggregates() -> None:
    listed = Path("docs/dataset.md").read_text().split("aggregates `")[1].split("`")[0]
    assert listed.split() == list(AGGREGATE_NAMES)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT id FROM rows; DROP TABLE rows", "holds 2 statements"),
        ("DELETE FROM rows", "is not a SELECT"),
        ("SELECT id FROM rows UNION SELECT id FROM rows", "is not a SELECT"),
        ("COPY rows TO 'x'", "is not a SELECT"),
        ("SET threads = 4", "is not a SELECT"),
        ("SELECT 1 AS id", "has no FROM"),
        ("SELECT id FROM other", "reads something else than the table rows"),
        ("SELECT id FROM 'x.csv'", "reads something else"),
        ("SELECT id FROM read_csv('x.csv')", "reads something else"),
        ("SELECT id FROM main.rows", "reads something else"),
        ('SELECT id FROM "marked rows"', "reads something else"),
        ("SELECT id FROM rows AS r", "reads something else"),
        ("SELECT id FROM rows, rows", "JOINS is not allowed"),
        ("SELECT id FROM (SELECT id FROM rows)", "is not allowed|second SELECT"),
        ("WITH r AS (SELECT 1) SELECT id FROM rows", "WITH is not allowed"),
        ("SELECT id FROM rows ORDER BY id", "ORDER is not allowed"),
        ("SELECT id FROM rows LIMIT 1", "LIMIT is not allowed"),
        ("SELECT DISTINCT id FROM rows", "DISTINCT is not allowed"),
        ("SELECT id FROM rows QUALIFY true", "QUALIFY is not allowed"),
        ("SELECT id FROM rows USING SAMPLE 10%", "is not allowed"),
        ("SELECT id FROM rows TABLESAMPLE (10 PERCENT)", "is not allowed|something else"),
        ("SELECT id FROM rows GROUP BY ALL", "GROUP BY ALL is not allowed"),
        ("SELECT id, sum(n) OVER () AS s FROM rows", "WINDOW is not allowed"),
        ("SELECT id, (SELECT 1) AS a FROM rows", "is not allowed|second SELECT"),
        ("SELECT id FROM rows WHERE id IN (SELECT 1)", "is not allowed|second SELECT"),
        ("SELECT id, random() AS r FROM rows", "function random is not allowed"),
        ("SELECT id, now() AS r FROM rows", "is not allowed"),
        ("SELECT id, getenv('HOME') AS r FROM rows", "function getenv is not allowed"),
        ("SELECT first(id) AS id FROM rows", "function first is not allowed"),
        ("SELECT min(id) AS id, mode(n) AS m FROM rows", "function mode is not allowed"),
        ("SELECT min(id) AS id, sum(DISTINCT x) AS s FROM rows", "DISTINCT is allowed in count alone"),
        ("SELECT min(id) AS id, sum(x ORDER BY n) AS s FROM rows", "is not allowed"),
        ("SELECT * EXCLUDE (x) FROM rows", "STAR is allowed by itself"),
        ("SELECT rows.id FROM rows", "names a table"),
        ('SELECT id, "held out" AS h FROM rows', "unknown column held out"),
        ("SELECT id, idd FROM rows", "unknown column idd"),
        ("SELECT id, x + 1 FROM rows", "gives a column"),
        ("SELECT id, n AS ID FROM rows", "there is a column id already"),
        ("SELECT id, 'a' AS \"a b\" FROM rows", "gives a column a b"),
        ("SELECT n FROM rows", "does not give the key column id of type Integer"),
        ("SELECT id + 0.5 AS id FROM rows", "does not give the key column id of type Integer"),
        ("SELECT id, count(*) AS c FROM rows", "the engine refuses it"),
        ("SELECT id, null AS c FROM rows", "which no column can hold"),
        ("SELECT id FROM rows WHERE", "is not an expression"),
        ("", "at least 1 character|is empty"),
    ],
)
def test_what_is_not_an_allowed_query_is_refused(query: str, said: str) -> None:
    with pytest.raises((InvalidSpecError, ValueError), match=said):
        _answer(query)


def test_a_key_must_come_once() -> None:
    with pytest.raises(DataError, match=r"sql\.query = '1': the answer has a key more than once"):
        _answer("SELECT id // 10 + 1 AS id, n FROM rows")


def test_a_key_must_be_there() -> None:
    with pytest.raises(DataError, match=r"sql\.query: the answer has a row without a key"):
        _answer("SELECT nullif(id, 2) AS id FROM rows")


def test_a_value_that_does_not_fit_names_the_transform() -> None:
    with pytest.raises(DataError, match=r"spec.variants v.transforms\[0\].sql: a value does not fit .*'a'"):
        _answer("SELECT id, cast(city AS bigint) AS c FROM rows")


def test_nothing_is_learned_after_a_query() -> None:
    with pytest.raises(InvalidSpecError, match="rows after aggregate or sql belong to neither part"):
        built(
            marked(_ROWS),
            {"sql": {"query": "SELECT * FROM rows"}},
            {"fillMissing": {"columns": ["x"], "strategy": "Mean"}},
        )
