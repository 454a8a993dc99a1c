"""Names of rows and of columns."""

import pyarrow as pa
import pytest

from modelyard_api.v1alpha1.sources import BuiltinName, BuiltinSource, Source
from modelyard_loader.keys import keyed
from modelyard_loader.sources import read_source
from modelyard_runtime.errors import DataError, InvalidSpecError


def _read(name: BuiltinName) -> pa.Table:
    return read_source(Source(builtin=BuiltinSource(name=name))).table


@pytest.mark.parametrize("name", BuiltinName)
def test_every_builtin_data_set_can_be_keyed_by_row_number(name: BuiltinName) -> None:
    rows = keyed(_read(name), ["row"])
    assert rows.column_names[0] == "row"
    assert rows.column("row").to_pylist() == list(range(1, rows.num_rows + 1))


def test_a_key_of_the_source_orders_the_rows_and_stands_first() -> None:
    rows = keyed(pa.table({"x": ["c", "a", "b"], "id": [3, 1, 2]}), ["id"])
    assert rows.to_pylist() == [{"id": 1, "x": "a"}, {"id": 2, "x": "b"}, {"id": 3, "x": "c"}]


def test_product_titles_have_a_key_of_their_own() -> None:
    rows = keyed(_read(BuiltinName.PRODUCT_TITLES), ["product_id"])
    assert rows.num_rows == 35311


def test_a_key_that_repeats_is_refused_with_column_and_value() -> None:
    with pytest.raises(DataError, match="primaryKey id = '2': names more than one row"):
        keyed(pa.table({"id": [2, 1, 2]}), ["id"])


def test_a_key_with_a_null_is_refused_with_column_and_row() -> None:
    with pytest.raises(DataError, match="primaryKey id: row 2 has no value"):
        keyed(pa.table({"id": [2, None]}), ["id"])


def test_two_key_columns_must_both_be_there() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        keyed(pa.table({"shop": [1], "item": [2]}), ["shop", "items"])
    assert caught.value.message == "spec.primaryKey = 'items': is not a column of the source"
    assert caught.value.remedy == "Did you mean item?"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a b"], "column = 'a b': is not a name"),
        (["1a"], "is not a name"),
        (["x" * 64], "is not a name"),
        (["load_sequence"], "column = 'load_sequence': is reserved"),
        (["a", "A"], "the names a and A differ by case only"),
        (["ROW"], "the names row and ROW|the names ROW and row"),
    ],
)
def test_a_name_that_sql_cannot_hold_is_refused(names: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        keyed(pa.table({name: [1] for name in names}), ["row"])


def test_names_are_judged_also_where_the_source_has_the_key() -> None:
    with pytest.raises(DataError, match="column = 'a b': is not a name"):
        keyed(pa.table({"id": [1], "a b": [1]}), ["id"])
