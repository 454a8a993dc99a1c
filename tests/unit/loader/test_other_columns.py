"""Columns that the spec asks for after rows were loaded: what is to change, and what becomes of values."""

import pyarrow as pa
import pytest

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import ColumnSpec, OnReject, Quarantine
from modelyard_loader.keys import Naming
from modelyard_loader.record.loads import LoadContent, columns_since
from modelyard_loader.staging.columns import check_values, must_have_values, other_columns
from modelyard_loader.staging.rejects import Rejects
from modelyard_loader.staging.shape import Shape
from modelyard_runtime.columns import ARROW_TYPES, arrow_schema
from modelyard_runtime.errors import DataError, InvalidSpecError

_TYPES = {"I": ColumnType.INTEGER, "N": ColumnType.NUMBER, "B": ColumnType.BOOLEAN, "T": ColumnType.TEXT}


def _columns(spelled: str) -> list[Column]:
    """For example ``id:I price:N``."""
    return [
        Column(name=name, type=_TYPES[kind]) for name, kind in (each.split(":") for each in spelled.split())
    ]


def _asked(spelled: str) -> list[ColumnSpec]:
    return [ColumnSpec(name=each.name, type=each.type) for each in _columns(spelled)]


def _content(spelled: str, key: str = "id", *, numbered: bool = False) -> LoadContent:
    return LoadContent(parts=[], key=[key], columns=_columns(spelled), numbered=numbered)


def _rejects(limit: int = 10) -> Rejects:
    return Rejects(OnReject(quarantine=Quarantine(limit=limit)))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("", None),
        ("id:I price:N", None),
        ("price:N id:I", None),
        ("price:N id:I colour:T", "id:I price:N colour:T"),
        ("id:I", "id:I"),
        ("id:I price:T", "id:I price:T"),
        ("id:I colour:T", "id:I colour:T"),
    ],
)
def test_columns_that_stay_keep_their_order_and_new_ones_come_last(asked: str, wanted: str | None) -> None:
    found = other_columns(_asked(asked), _content("id:I price:N"))
    assert found == (None if wanted is None else tuple(_columns(wanted)))


def test_the_number_of_a_row_stays_without_being_named() -> None:
    content = _content("row:I price:N", "row", numbered=True)
    assert other_columns(_asked("price:N"), content) is None
    assert other_columns(_asked("price:I"), content) == tuple(_columns("row:I price:I"))


@pytest.mark.parametrize(
    ("asked", "numbered", "told"),
    [
        ("price:N", False, "leaves out id, which spec.primaryKey names"),
        ("id:T price:N", False, "makes id Text, which is part of the key and Integer in the loaded rows"),
        ("id:I price:N", True, "names id, which is the number of the row"),
    ],
)
def test_another_key_is_refused(asked: str, *, numbered: bool, told: str) -> None:
    with pytest.raises(InvalidSpecError, match=told):
        other_columns(_asked(asked), _content("id:I price:N", numbered=numbered))


def test_a_value_that_the_new_type_cannot_hold_is_refused_and_none_is_changed() -> None:
    naming = Naming.of(_columns("id:I price:N n:I colour:T"), ["id"])
    shape = Shape(tuple(_columns("id:I price:T n:N gone:B")), naming)
    rows = pa.RecordBatch.from_pydict(
        {
            "id": [1, 2, 3, 4, 5],
            "price": ["1.5", "n/a", None, " 7 ", "2"],
            "n": [1.0, 1.0, 2.0, None, 2.5],
            "gone": [True] * 5,
        },
        arrow_schema(_columns("id:I price:T n:N gone:B")),
    )
    rejects = _rejects()
    shaped = shape.apply(rows, rejects)
    assert shaped.rows.to_pylist() == [
        {"id": 1, "price": 1.5, "n": 1, "colour": None},
        {"id": 3, "price": None, "n": 2, "colour": None},
        {"id": 4, "price": 7.0, "n": None, "colour": None},
    ]
    assert shaped.kept.tolist() == [True, False, True, True, False]
    assert [each["reason"].split(" (")[0] for each in rejects.table().to_pylist()] == [
        "column price: 'n/a' is not Number",
        "column n: 2.5 is not Integer",
    ]
    assert (shape.dropped, [each.name for each in shape.added], [each.name for each in shape.retyped]) == (
        ("gone",),
        ["colour"],
        ["price", "n"],
    )


@pytest.mark.parametrize("before", list(ColumnType))
@pytest.mark.parametrize("after", list(ColumnType))
def test_a_one_can_become_each_type_and_comes_back(before: ColumnType, after: ColumnType) -> None:
    columns = [*_columns("id:I"), Column(name="x", type=before)]
    naming = Naming.of([*_columns("id:I"), Column(name="x", type=after)], ["id"])
    ones = {ColumnType.INTEGER: 1, ColumnType.NUMBER: 1.0, ColumnType.BOOLEAN: True, ColumnType.TEXT: "1"}
    rows = pa.RecordBatch.from_pydict({"id": [1], "x": [ones[before]]}, arrow_schema(columns))
    there = Shape(tuple(columns), naming).apply(rows, _rejects()).rows
    assert there.schema.field("x").type == ARROW_TYPES[after]
    back = Shape(naming.columns, Naming.of(columns, ["id"])).apply(there, _rejects()).rows
    assert back.column("x").to_pylist()[0] in {ones[before], "true"}


def test_rows_that_wait_are_refused_where_a_value_is_asked_for_by_now() -> None:
    naming = Naming.of(_columns("id:I price:N"), ["id"], required=["price"])
    rows = pa.RecordBatch.from_pydict({"id": [1, 2, 3], "price": ["1", None, "x"]})
    rejects = _rejects()
    fit = Shape(tuple(_columns("id:I price:T")), naming).apply_all(rows, rejects)
    assert fit.to_pylist() == [{"id": 1, "price": 1.0}]
    assert sorted(each["reason"][:22] for each in rejects.table().to_pylist()) == [
        "column price has no va",
        "column price: 'x' is n",
    ]


def test_only_columns_that_may_miss_a_value_are_counted() -> None:
    asked = [each.model_copy(update={"nullable": False}) for each in _asked("id:I price:N size:N")]
    content = _content("id:I price:N size:N").model_copy(update={"missing": [0, 0, 3]})
    assert must_have_values(asked, content) == ["size"]
    assert must_have_values(_asked("id:I price:N size:N"), content) == []
    with pytest.raises(DataError, match="no value where nullable is false: 3 in size"):
        check_values([("price", 0), ("size", 3)])


def test_a_column_is_as_old_as_its_last_type() -> None:
    shapes = [
        (1, _columns("id:I price:T")),
        (2, _columns("id:I price:T")),
        (3, _columns("id:I price:N colour:T")),
        (4, _columns("id:I price:N")),
        (5, _columns("id:I price:N colour:T")),
    ]
    assert columns_since(shapes[:2]) == {}
    assert columns_since(shapes) == {"price": 3, "colour": 5}
    assert columns_since([(1, []), *shapes[1:2]]) == {}, "entries of the first release name no types"
