"""Rows of a request against the columns of a model, without a server around them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server.errors import RequestError
from modelyard_server.signature import Reader, Rows, Signature

INTEGER, NUMBER = ColumnType.INTEGER, ColumnType.NUMBER
BOOLEAN, TEXT = ColumnType.BOOLEAN, ColumnType.TEXT


def reader(*types: ColumnType, nullable: bool = False) -> Reader:
    return Reader(
        Signature(
            tuple(Column(name=f"c{place}", type=kind, nullable=nullable) for place, kind in enumerate(types))
        )
    )


def matrix(made: Reader, *rows: list[Any]) -> np.ndarray:
    return made.matrix(made.from_lists(list(rows)))


def test_more_rows_than_are_answered_at_a_time_are_refused_in_every_form() -> None:
    own = Reader(reader(INTEGER).signature, max_rows=2)
    assert own.from_lists([[1], [2]]).count == 2
    asked: list[Callable[[], Rows]] = [
        lambda: own.from_lists([[1], [2], [3]]),
        lambda: own.from_records([{"c0": 1}] * 3),
        lambda: own.from_columns({"c0": [1, 2, 3]}),
    ]
    for ask in asked:
        with pytest.raises(
            RequestError, match="there are 3 rows, at most 2 are answered at a time"
        ) as refusal:
            ask()
        assert refusal.value.status == 413


def test_numbers_and_booleans_become_one_float_matrix_in_rows() -> None:
    made = matrix(reader(INTEGER, NUMBER, BOOLEAN), [1, 2.5, True], [3, 4, False])
    assert made.dtype == np.float64
    assert made.flags.c_contiguous
    assert made.tolist() == [[1.0, 2.5, 1.0], [3.0, 4.0, 0.0]]


def test_a_text_makes_a_matrix_of_objects_with_floats_beside_it() -> None:
    made = matrix(reader(TEXT, INTEGER), ["a", 1])
    assert made.dtype == object
    assert made.tolist() == [["a", 1.0]]
    assert type(made[0, 1]) is float


@pytest.mark.parametrize("kind", [INTEGER, NUMBER, BOOLEAN, TEXT])
def test_a_missing_value_is_nan_where_it_may_be_missing(kind: ColumnType) -> None:
    made = matrix(reader(kind, nullable=True), [None])
    assert np.isnan(made[0, 0])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (INTEGER, 1.5),
        (INTEGER, "1"),
        (INTEGER, True),
        (NUMBER, "1"),
        (NUMBER, False),
        (NUMBER, {}),
        (BOOLEAN, 1),
        (BOOLEAN, "true"),
        (TEXT, 1),
        (TEXT, ["a"]),
    ],
)
def test_a_value_of_another_type_is_refused_with_column_and_row(kind: ColumnType, value: object) -> None:
    good: dict[ColumnType, object] = {INTEGER: 1, NUMBER: 1.5, BOOLEAN: True, TEXT: "a"}
    with pytest.raises(RequestError, match=r'column "c0", row 1: .* is not') as refusal:
        matrix(reader(kind), [good[kind]], [value])
    assert refusal.value.status == 400


def test_whole_numbers_that_are_written_as_fractions_are_taken() -> None:
    assert matrix(reader(INTEGER), [2.0]).tolist() == [[2.0]]


def test_a_number_beyond_floating_point_is_refused() -> None:
    with pytest.raises(RequestError, match="too large"):
        matrix(reader(NUMBER), [10**400])


def test_records_may_give_columns_in_any_order() -> None:
    made = reader(NUMBER, NUMBER)
    rows = made.from_records([{"c1": 2, "c0": 1}, {"c0": 3, "c1": 4}])
    assert made.matrix(rows).tolist() == [[1, 2], [3, 4]]


def test_lists_follow_the_names_that_are_given_with_them() -> None:
    made = reader(NUMBER, NUMBER)
    assert made.matrix(made.from_lists([[2, 1]], ["c1", "c0"])).tolist() == [[1, 2]]


def test_a_long_list_of_columns_is_shown_in_part() -> None:
    made = reader(*[NUMBER] * 500)
    with pytest.raises(RequestError, match="and 495 more") as refusal:
        made.from_records([{}])
    assert len(refusal.value.message) < 500


def test_every_row_is_looked_at_for_columns_that_are_too_many() -> None:
    made = reader(NUMBER)
    with pytest.raises(RequestError, match='row 1: not an input of this model: "x"'):
        made.from_records([{"c0": 1}, {"c0": 1, "x": 2}])


def test_demanded_columns_may_not_be_missing_any_more() -> None:
    signature = reader(NUMBER, NUMBER, nullable=True).signature.demanding(frozenset({"c1"}))
    with pytest.raises(RequestError, match='column "c1", row 0: nothing may be missing'):
        matrix(Reader(signature), [None, None])
