"""The content digest: pinned by vectors, equal to its plain definition, blind to how rows arrive."""

import json
import random
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.digest import AccumulatorState, ContentAccumulator, content_digest, in_key_order
from modelyard_runtime.errors import DataError
from modelyard_runtime.hashing import text_buffers
from tests.support.columns import PlainColumn, Value, digest_of, table_of

_VECTORS = json.loads(Path("tests/data/digests/content.json").read_text())
_LETTERS = "aZ0 é日\U0001f600"


def _random_value(kind: ColumnType, chance: random.Random) -> Value:
    if chance.random() < 0.2:
        return None
    if kind is ColumnType.INTEGER:
        return chance.choice([0, -1, 2**63 - 1, -(2**63), chance.randrange(1000)])
    if kind is ColumnType.NUMBER:
        return chance.choice([0.0, -0.0, float("inf"), float("nan"), chance.gauss(0, 1)])
    if kind is ColumnType.BOOLEAN:
        return chance.random() < 0.5
    return "".join(chance.choices(_LETTERS, k=chance.randrange(12)))


def _random_columns(seed: int) -> list[PlainColumn]:
    chance = random.Random(seed)  # noqa: S311  not a secret
    rows = chance.randrange(40)
    key = PlainColumn("id", ColumnType.INTEGER, chance.sample(range(-500, 500), rows))
    others = [
        PlainColumn(f"c{number}", kind, [_random_value(kind, chance) for _ in range(rows)])
        for number, kind in enumerate(chance.choices(list(ColumnType), k=5))
    ]
    return [key, *others]


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_has_the_digest_that_was_written_down(vector: dict[str, object]) -> None:
    columns = [
        PlainColumn(each["name"], ColumnType(each["type"]), each["values"])
        for each in json.loads(json.dumps(vector["columns"]))
    ]
    key = [str(name) for name in json.loads(json.dumps(vector["key"]))]
    assert content_digest(table_of(columns), key).root == vector["digest"]


@pytest.mark.parametrize("seed", range(60))
def test_the_digest_is_that_of_its_plain_definition(seed: int) -> None:
    columns = _random_columns(seed)
    assert content_digest(table_of(columns), ["id"]).root == digest_of(columns, ["id"])


@pytest.mark.parametrize("seed", range(30))
def test_row_order_and_chunks_do_not_count(seed: int) -> None:
    table = table_of(_random_columns(seed))
    chance = np.random.default_rng(seed)
    shuffled = table.take(pa.array(chance.permutation(table.num_rows), pa.int64()))
    middle = table.num_rows // 3
    chunked = pa.concat_tables([shuffled.slice(0, middle), shuffled.slice(middle)])
    assert content_digest(chunked, ["id"]) == content_digest(table, ["id"])


@pytest.mark.parametrize("seed", range(30))
def test_a_change_of_one_value_counts_and_names_its_column(seed: int) -> None:
    columns = _random_columns(seed)
    chance = random.Random(seed)  # noqa: S311  not a secret
    if not columns[0].values:
        return
    place = chance.randrange(1, len(columns))
    row = chance.randrange(len(columns[0].values))
    before = columns[place]
    value = before.values[row]
    after = _another(before.type, value)
    values = [after if number == row else each for number, each in enumerate(before.values)]
    changed = [*columns[:place], PlainColumn(before.name, before.type, values), *columns[place + 1 :]]
    one, two = (content_digest(table_of(each), ["id"]) for each in (columns, changed))
    assert one.root != two.root
    differing = [a.column.name for a, b in zip(one.columns, two.columns, strict=True) if a != b]
    assert differing == [before.name]


def _another(kind: ColumnType, value: Value) -> Value:
    zeros: dict[ColumnType, Value] = {
        ColumnType.INTEGER: 0,
        ColumnType.NUMBER: 0.0,
        ColumnType.BOOLEAN: False,
        ColumnType.TEXT: "",
    }
    return zeros[kind] if value is None else None


_BASE = pa.table({"id": [1, 2, 3], "x": [1, 0, None], "t": ["ab", "c", None]})


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("a name", _BASE.rename_columns(["id", "y", "t"])),
        ("a type", _BASE.set_column(1, "x", pa.array([1.0, 0.0, None]))),
        ("a value", _BASE.set_column(1, "x", pa.array([1, 2, None]))),
        ("a null for zero", _BASE.set_column(1, "x", pa.array([1, None, None]))),
        ("a null for an empty text", _BASE.set_column(2, "t", pa.array(["ab", "c", ""]))),
        ("where one text ends", _BASE.set_column(2, "t", pa.array(["a", "bc", None]))),
        ("the order of columns", _BASE.select(["id", "t", "x"])),
        ("a row less", _BASE.slice(0, 2)),
        ("values of two rows exchanged", _BASE.set_column(1, "x", pa.array([0, 1, None]))),
    ],
)
def test_a_change_counts(change: str, table: pa.Table) -> None:
    assert content_digest(table, ["id"]).root != content_digest(_BASE, ["id"]).root, change


def test_the_choice_of_key_counts() -> None:
    table = pa.table({"a": [1, 2], "b": [1, 2]})
    assert content_digest(table, ["a"]).root != content_digest(table, ["b"]).root


def test_every_zero_and_every_nan_is_one() -> None:
    other_nan = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000001))[0]
    one = pa.table({"id": [1, 2], "x": [0.0, float("nan")]})
    two = pa.table({"id": [1, 2], "x": [-0.0, other_nan]})
    assert content_digest(one, ["id"]) == content_digest(two, ["id"])


def test_the_way_in_which_arrow_holds_a_value_does_not_count() -> None:
    held = pa.table({"id": pa.array([1, 2], pa.int16()), "t": pa.array(["a", None], pa.large_string())})
    plain = pa.table({"id": [1, 2], "t": ["a", None]})
    assert content_digest(held, ["id"]) == content_digest(plain, ["id"])


def _accumulated(portions: list[pa.Table]) -> ContentAccumulator:
    made = ContentAccumulator(canonical_columns(portions[0].schema), ["id"])
    for portion in portions:
        made.add(portion)
    return made


@pytest.mark.parametrize("seed", range(10))
def test_one_load_and_twenty_one_have_the_same_digest(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows = 5_000
    table = pa.table(
        {
            "id": chance.permutation(rows),
            "x": pa.array(chance.normal(size=rows), mask=chance.random(rows) < 0.1),
            "t": [f"title {number}" for number in chance.integers(0, 900, rows)],
        }
    )
    cuts = sorted({0, rows, *chance.integers(0, rows, 20).tolist()})
    portions = [table.slice(start, end - start) for start, end in pairwise(cuts)]
    chance.shuffle(portions)
    assert _accumulated(portions).digest() == content_digest(table, ["id"])


@pytest.mark.parametrize("seed", range(20))
def test_rows_that_are_taken_out_again_leave_no_trace(seed: int) -> None:
    table = table_of(_random_columns(seed))
    if table.num_rows < 2:
        return
    made = _accumulated([table])
    made.subtract(table.slice(0, 1))
    assert made.digest() == content_digest(table.slice(1), ["id"])


def test_accumulators_add_up_and_survive_as_documents() -> None:
    first, second = _accumulated([_BASE.slice(0, 1)]), _accumulated([_BASE.slice(1)])
    kept = AccumulatorState.model_validate_json(first.state().model_dump_json(by_alias=True))
    restored = ContentAccumulator.restored(kept)
    restored.merge(second)
    assert restored.digest() == content_digest(_BASE, ["id"])
    assert restored.rows == 3


def test_accumulators_of_other_columns_are_not_added() -> None:
    with pytest.raises(ValueError, match="other columns"):
        _accumulated([_BASE]).merge(_accumulated([_BASE.select(["id", "x"])]))


def test_rows_with_other_columns_are_refused() -> None:
    with pytest.raises(DataError, match="columns: are id, x, and not id, x, t"):
        _accumulated([_BASE]).add(_BASE.select(["id", "x"]))


def test_more_rows_than_a_chunk_holds_are_one_content() -> None:
    columns = [
        PlainColumn("id", ColumnType.INTEGER, list(range(20_000))),
        PlainColumn("b", ColumnType.BOOLEAN, [row % 3 == 0 if row % 7 else None for row in range(20_000)]),
    ]
    assert content_digest(table_of(columns), ["id"]).root == digest_of(columns, ["id"])


@pytest.mark.parametrize("longest", [7, 8, 9, 255, 256, 257, 900])
def test_texts_of_any_length_have_the_cells_of_the_plain_definition(longest: int) -> None:
    texts: list[Value] = ["x" * length for length in (0, 1, 8, 15, 16, 17, longest)]
    columns = [
        PlainColumn("id", ColumnType.INTEGER, list(range(len(texts) + 2))),
        PlainColumn("t", ColumnType.TEXT, [*texts, None, "é\0"]),
    ]
    assert content_digest(table_of(columns), ["id"]).root == digest_of(columns, ["id"])


def test_a_slice_of_texts_is_read_from_where_it_begins() -> None:
    whole = pa.array(["one", "two", "three"], pa.large_string())
    offsets, content = text_buffers(whole.slice(1, 2))
    assert offsets.tolist() == [0, 3, 8]
    assert content.tobytes() == b"twothree"


def test_a_null_in_the_key_is_refused_with_column_and_row() -> None:
    with pytest.raises(DataError, match="primaryKey id: row 2 has no value"):
        content_digest(pa.table({"id": [1, None, 3]}), ["id"])


def test_a_nan_in_the_key_is_refused() -> None:
    with pytest.raises(DataError, match="row 1 has no value"):
        content_digest(pa.table({"id": [float("nan"), 1.0]}), ["id"])


def test_a_key_that_names_two_rows_has_no_order() -> None:
    table = pa.table({"a": [2, 1, 2], "b": ["x", "x", "x"]})
    with pytest.raises(DataError, match=r"primaryKey a, b = '2, x': names more than one row"):
        in_key_order(table, ["a", "b"])


def test_a_missing_key_column_is_refused_with_its_name() -> None:
    with pytest.raises(DataError, match="primaryKey id: is not a column"):
        content_digest(pa.table({"x": [1]}), ["id"])


def test_a_type_without_canonical_form_is_refused_with_its_column() -> None:
    table = pa.table({"id": [1], "when": pa.array([0], pa.timestamp("s"))})
    with pytest.raises(DataError, match="when: values of type timestamp"):
        content_digest(table, ["id"])


def test_rows_in_key_order_are_not_copied() -> None:
    table = pa.table({"id": [1, 2, 3]})
    assert in_key_order(table, ["id"]) is table
