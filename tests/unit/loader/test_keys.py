"""Names of rows and of columns, and rows that have none."""

import math

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.keys import Naming
from modelyard_runtime.errors import DataError, InvalidSpecError

_INTEGER = ColumnType.INTEGER


def _columns(*names: str, kind: ColumnType = _INTEGER) -> list[Column]:
    return [Column(name=name, type=kind) for name in names]


def _reasons(naming: Naming, rows: dict[str, list[object]]) -> list[tuple[list[int], str]]:
    count = len(next(iter(rows.values())))
    named = naming.named(pa.RecordBatch.from_pydict(rows), np.arange(1, count + 1))
    return [(np.flatnonzero(flaw.rows).tolist(), flaw.reason) for flaw in naming.flaws(named)]


def test_a_key_that_the_source_lacks_is_the_number_of_the_row() -> None:
    naming = Naming.of(_columns("x"), ["row"])
    assert naming.numbered
    rows = naming.named(pa.RecordBatch.from_pydict({"x": [5, 6]}), np.array([3, 7]))
    assert rows.to_pylist() == [{"row": 3, "x": 5}, {"row": 7, "x": 6}]


def test_a_key_of_the_source_stands_first() -> None:
    naming = Naming.of(_columns("x", "b", "a"), ["a", "b"])
    assert not naming.numbered
    assert [column.name for column in naming.columns] == ["a", "b", "x"]


def test_both_zeros_are_one_name() -> None:
    naming = Naming.of(_columns("x", kind=ColumnType.NUMBER), ["x"])
    rows = naming.named(pa.RecordBatch.from_pydict({"x": [-0.0]}), np.array([1]))
    assert math.copysign(1, rows.column("x")[0].as_py()) == 1


def test_a_row_without_a_name_or_a_required_value_is_found() -> None:
    columns = [*_columns("id", kind=ColumnType.NUMBER), *_columns("x", "y")]
    naming = Naming.of(columns, ["id"], required=["x", "z"])
    rows = {"id": [1.0, None, math.nan, 2.0], "x": [1, 1, 1, None], "y": [None] * 4}
    typed = pa.RecordBatch.from_pydict(
        rows, pa.schema([("id", pa.float64()), ("x", pa.int64()), ("y", pa.int64())])
    )
    named = naming.named(typed, np.arange(1, 5))
    found = [(np.flatnonzero(flaw.rows).tolist(), flaw.reason) for flaw in naming.flaws(named)]
    assert found == [([1, 2], "primaryKey id has no value"), ([3], "column x has no value")]


def test_a_text_that_postgres_cannot_hold_is_found() -> None:
    naming = Naming.of(_columns("t", kind=ColumnType.TEXT), ["row"])
    assert _reasons(naming, {"t": ["good", "b\0d", None]}) == [([1], "column t holds a NUL character")]


def test_two_key_columns_must_both_be_there() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        Naming.of(_columns("shop", "item"), ["shop", "items"])
    assert caught.value.message == "spec.primaryKey = 'items': is not a column of the source"
    assert caught.value.remedy == "Did you mean item?"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a b"], "column = 'a b': is not a name"),
        (["1a"], "is not a name"),
        (["x" * 64], "is not a name"),
        (["load_sequence"], "column = 'load_sequence': is reserved"),
        (["operation_date"], "column = 'operation_date': is reserved"),
        (["a", "A"], "the names a and A differ by case only"),
        (["ROW"], "the names row and ROW|the names ROW and row"),
    ],
)
def test_a_name_that_sql_cannot_hold_is_refused(names: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Naming.of(_columns(*names), ["row"])


def test_names_are_judged_also_where_the_source_has_the_key() -> None:
    with pytest.raises(DataError, match="column = 'a b': is not a name"):
        Naming.of(_columns("id", "a b"), ["id"])
