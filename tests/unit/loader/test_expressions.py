"""Which expressions are accepted, and what is said of the others."""

import pytest
from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.transforms.expressions import judged
from modelyard_loader.transforms.relation import DIALECT, Relation
from modelyard_runtime.errors import InvalidSpecError


def _types_are_not_asked(_select: exp.Select) -> dict[str, str]:
    raise AssertionError


_RELATION = Relation(
    name="rows",
    target="v1 1",
    key=("id",),
    columns=(
        Column(name="id", type=ColumnType.INTEGER),
        Column(name="MedInc", type=ColumnType.NUMBER),
        Column(name="title", type=ColumnType.TEXT),
    ),
    path="spec.variants v1.transforms[0].filter",
    types_of=_types_are_not_asked,
)


def _judged(text: str) -> str:
    return judged(text, _RELATION, "where").sql(DIALECT)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("MedInc <= 5.0", '"MedInc" <= 5.0'),
        ("MedInc/2 -- half", '"MedInc" / 2'),
        ("id % 2 = 0 and not (MedInc is null)", '"id" % 2 = 0 AND NOT ("MedInc" IS NULL)'),
        (
            "title like '%phone%' or title in ('a', 'b')",
            "\"title\" LIKE '%phone%' OR \"title\" IN ('a', 'b')",
        ),
        ("log10(MedInc) + log2(MedInc)", 'LOG10("MedInc") + LOG2("MedInc")'),
        ("case when MedInc > 1 then 'x' else null end", "CASE WHEN \"MedInc\" > 1 THEN 'x' ELSE NULL END"),
        ("title::double", 'CAST("title" AS DOUBLE)'),
        ("try_cast(title as bigint)", 'TRY_CAST("title" AS BIGINT)'),
        ('"MedInc" > 1', '"MedInc" > 1'),
        ("MedInc > 1;", '"MedInc" > 1'),
    ],
)
def test_an_expression_is_written_anew_with_quoted_columns(text: str, written: str) -> None:
    assert _judged(text) == written


def test_an_unknown_column_is_named_with_those_like_it() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        _judged("MedIncome > 3")
    assert caught.value.message == (
        "spec.variants v1.transforms[0].filter.where = 'MedIncome > 3': unknown column MedIncome"
    )
    assert caught.value.remedy == "Did you mean MedInc?"


def test_a_column_in_other_case_is_unknown_but_suggested() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        _judged("medinc > 3")
    assert caught.value.remedy == "Did you mean MedInc?"


def test_an_unknown_column_like_no_other_gets_the_list() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        _judged("zzzz > 3")
    assert caught.value.remedy == "There are id, MedInc, title"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MedInc > 1; DROP TABLE rows", "holds 2 statements"),
        ("", "is empty"),
        ("-- nothing", "is empty"),
        ("MedInc >", "is not an expression"),
        ("MedInc > 'a", "is not an expression"),
        ("random() > 0.5", "function random is not allowed"),
        ("now() > 1", "function now is not allowed"),
        ("current_date > 1", "function current_date is not allowed"),
        ("uuid() = 'a'", "function uuid is not allowed"),
        ("read_csv('/etc/passwd')", "function read_csv is not allowed"),
        ("read_text('/etc/passwd')", "function read_text is not allowed"),
        ("getenv('HOME') = 'x'", "function getenv is not allowed"),
        ("avg(MedInc) > 1", "function avg is not allowed"),
        ("sum(MedInc) over () > 1", "WINDOW is not allowed"),
        ("MedInc > (select 1)", "SUBQUERY is not allowed"),
        ("exists (select 1)", "function exists is not allowed"),
        ("MedInc in (select 1)", "is not allowed"),
        ("select 1", "SELECT is not allowed"),
        ("from rows", "SELECT is not allowed"),
        ("set threads = 4", "SET is not allowed"),
        ("pragma version", "PRAGMA is not allowed"),
        ("attach 'x.db'", "ATTACH is not allowed"),
        ("copy rows to 'x.csv'", "COPY is not allowed"),
        ("install httpfs", "is not allowed"),
        ("call x()", "is not allowed"),
        ("MedInc as x", "ALIAS is not allowed"),
        ("*", "STAR is not allowed"),
        ("columns('.*')", "is not allowed"),
        ("rows.MedInc > 1", "names a table"),
        ("MedInc > ?", "PLACEHOLDER is not allowed"),
        ("MedInc > $1", "is not allowed"),
        ("title::date", "casts to DATE are not allowed"),
        ("title::varchar[]", "are not allowed"),
        ("[MedInc]", "is not allowed"),
        ("{'a': MedInc}", "is not allowed"),
        ("title[1] = 'a'", "BRACKET is not allowed"),
        ("title collate nocase = 'a'", "collate is not allowed"),
        ("(" * 300 + "MedInc" + ")" * 300, "is nested too deep"),
        ("+".join(["MedInc"] * 150), "is nested too deep"),
    ],
)
def test_what_is_not_an_allowed_expression_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidSpecError, match=said):
        _judged(text)


def test_a_refused_function_is_answered_with_the_ones_there_are() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        _judged("random() > 0.5")
    assert "abs, cbrt, ceil" in caught.value.remedy
