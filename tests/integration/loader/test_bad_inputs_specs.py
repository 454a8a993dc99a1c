"""Specs that do not fit the data, and data that no longer fit the spec: nothing is published, nothing is lost."""

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from tests.support.bad_inputs import Bad, Scene, edited, instead, more, refused, transformed

DATA, SPEC = FailureClass.DATA, FailureClass.INVALID_SPEC
_TWICE = {
    "name": "twice",
    "from": "v1",
    "transforms": [{"derive": {"column": "size", "as": "rooms"}}, {"select": {"columns": ["town", "size"]}}],
}
_JOIN = {"join": {"variant": "twice", "on": ["town"], "columns": ["size"]}}


def rule(**fields: object) -> list[dict[str, object]]:
    """``spec.validation`` with one rule."""
    return [fields]


GROWTH = [
    Bad(
        "a column that is new",
        more(b"id,price,rooms,town,garden\n5,1,2,Ulm,yes\n"),
        DATA,
        ("houses/2.csv", "garden is new"),
        "Restore the source",
    ),
    Bad(
        "a column that is gone",
        more(b"id,price,rooms\n5,1,2\n"),
        DATA,
        ("houses/2.csv", "town is missing"),
        "Restore the source",
    ),
    Bad(
        "a column of another type",
        more(b"id,price,rooms,town\n5,cheap,2,Ulm\n"),
        DATA,
        ("row 5", "column price: 'cheap' is not Number"),
        "Correct the rows",
    ),
    Bad(
        "a second file that breaks off",
        more(b'id,price,rooms,town\n5,1,2,"Ulm\n'),
        DATA,
        ("houses/2.csv row 1", "never closed"),
        "Close it",
    ),
    Bad(
        "a file that vanished",
        instead(None),
        DATA,
        ("the source shrank", "houses/1.csv, which was loaded, is gone"),
        "Put the objects back",
    ),
    Bad(
        "a file with fewer rows",
        instead(b"id,price,rooms,town\n1,100.5,3,Ulm\n"),
        DATA,
        ("the source shrank", "of 4 loaded rows are no longer in it"),
        "Put the rows back",
    ),
    Bad(
        "a load that leaves one out",
        edited(sequence=3),
        DATA,
        ("load 3 of houses", "the ledger ends with load 1"),
        "Restore schema or bucket",
    ),
    Bad(
        "more rows set aside than allowed",
        more(
            b"id,price,rooms,town\n5,a,1,Ulm\n6,b,1,Ulm\n7,c,1,Ulm\n", onReject={"quarantine": {"limit": 2}}
        ),
        DATA,
        ("row 5", "so do 2 more, and 2 may be set aside in a step"),
        "Correct the rows in the source, or raise spec.load.onReject.quarantine.limit",
    ),
]

VARIANTS = [
    Bad(
        "a filter of an unknown column",
        transformed({"filter": {"where": "prize > 1"}}),
        SPEC,
        ("v2.transforms[0].filter.where", "unknown column prize"),
        "Did you mean price",
    ),
    Bad(
        "a function outside the list",
        transformed({"derive": {"column": "a", "as": "read_text(town)"}}),
        SPEC,
        ("function read_text is not allowed",),
        "Use operators",
    ),
    Bad(
        "a value drawn at random",
        transformed({"filter": {"where": "random() > 0.5"}}),
        SPEC,
        ("function random is not allowed",),
        "Use operators",
    ),
    Bad(
        "two expressions",
        transformed({"filter": {"where": "true; DROP TABLE houses"}}),
        SPEC,
        ("holds 2 statements",),
        "Write one expression",
    ),
    Bad(
        "a condition that is no condition",
        transformed({"filter": {"where": "price"}}),
        SPEC,
        ("where = 'price'", "not true or false"),
        "Write a condition",
    ),
    Bad(
        "a cast that a value does not survive",
        transformed({"cast": {"columns": ["town"], "to": "Number"}}),
        DATA,
        ("transforms[0].cast = 'Ulm'", "column town does not fit"),
        "Filter such rows",
    ),
    Bad(
        "a selection of an unknown column",
        transformed({"select": {"columns": ["prise"]}}),
        SPEC,
        ("select.columns = 'prise'", "is not a column here"),
        "Did you mean price?",
    ),
    Bad(
        "a name that is taken",
        transformed({"derive": {"column": "town", "as": "upper(town)"}}),
        SPEC,
        ("derive.column = 'town'",),
        "Choose another name",
    ),
    Bad(
        "a query that writes",
        transformed({"sql": {"query": "DELETE FROM rows"}}),
        SPEC,
        ("sql.query = 'DELETE FROM rows'", "is not a SELECT"),
        "Write SELECT",
    ),
    Bad(
        "a query of a table that there is not",
        transformed({"sql": {"query": "SELECT * FROM houses"}}),
        SPEC,
        ("reads something else than the table rows",),
        "Write FROM rows",
    ),
    Bad(
        "a query of a file",
        transformed({"sql": {"query": "SELECT * FROM read_csv('/etc/passwd')"}}),
        SPEC,
        ("reads something else than the table rows",),
        "Write FROM rows",
    ),
    Bad(
        "a join that finds two rows for one",
        edited(variants=[{"name": "v1"}, _TWICE, {"name": "v3", "from": "v1", "transforms": [_JOIN]}]),
        DATA,
        ("v3.transforms[0].join = 'Ulm'", "more than one row for the same town"),
        "Join on its key",
    ),
    Bad(
        "a balance by a column that there is not",
        transformed({"balance": {"column": "city", "method": "Over"}}),
        SPEC,
        ("balance.column = 'city'",),
        "There are id, price",
    ),
    Bad(
        "a split by a column that there is not",
        edited(split={"groupBy": "city"}),
        SPEC,
        ("spec.split.groupBy = 'city'",),
        "Use one of id, price",
    ),
]

RULES = [
    Bad(
        "a rule about an unknown column",
        edited(validation=rule(rule="nullValues", column="prise")),
        SPEC,
        ("spec.validation[0].column = 'prise'",),
        "Did you mean price",
    ),
    Bad(
        "a rule about an unknown variant",
        edited(validation=rule(rule="rowCount", variant="v9")),
        SPEC,
        ("spec.validation[0].variant = 'v9'",),
        "There are v1",
    ),
    Bad(
        "a range of words",
        edited(validation=rule(rule="range", column="town", min="0")),
        SPEC,
        ("is of type Text, which has no range",),
        "Name a column of type Integer",
    ),
    Bad(
        "a rule that writes",
        edited(validation=rule(rule="sql", query="DELETE FROM rows")),
        SPEC,
        ("spec.validation[0].query = 'DELETE FROM rows'",),
        "Write SELECT",
    ),
    Bad(
        "a pattern that is none",
        edited(validation=rule(rule="invalidValues", column="town", pattern="(")),
        SPEC,
        ("spec.validation[0].pattern = '('",),
        "Correct it; RE2",
    ),
]

ALL = [*GROWTH, *VARIANTS, *RULES]


@pytest.mark.parametrize("bad", ALL, ids=lambda bad: bad.what)
def test_it_has_a_name_and_changes_nothing(houses: Scene, bad: Bad) -> None:
    refused(houses, bad)
