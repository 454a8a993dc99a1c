"""Parquet files of the record: put side by side, they are the file that writing all columns at once gives."""

import io
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_loader.record.files import encoded, extended
from modelyard_loader.record.side_by_side import side_by_side


@cache
def _rows(count: int) -> pa.Table:
    draw = np.random.default_rng(count)
    return pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "x": pa.array(draw.random(count), mask=draw.random(count) < 0.1),
            "kind": pa.array([f"kind {number % 7}" for number in range(count)], pa.string()),
            "title": pa.array([f"title {number}" for number in range(count)], pa.string()),
            "nothing": pa.nulls(count, pa.float64()),
            "flag": pa.array(draw.random(count) < 0.5),
        }
    )


def _read(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))


@pytest.mark.parametrize("count", [1, 20, 131_073])
@pytest.mark.parametrize("known", [["id"], ["id", "x", "kind"], ["id", "x", "kind", "title", "nothing"]])
def test_a_file_is_the_same_whether_its_columns_are_written_at_once_or_beside_others(
    count: int, known: list[str]
) -> None:
    rows = _rows(count)
    made = extended(encoded(rows.select(known)), rows)
    assert made == encoded(rows)
    assert _read(made).equals(rows)


def test_many_columns_stand_side_by_side() -> None:
    wide = pa.table({f"column {number}": pa.array([number, None]) for number in range(300)})
    assert extended(encoded(wide.select(range(120))), wide) == encoded(wide)


def test_other_readers_read_it(tmp_path: Path) -> None:
    rows = _rows(131_073)
    file = tmp_path / "rows.parquet"
    file.write_bytes(extended(encoded(rows.select(["id", "x", "kind"])), rows))
    found = duckdb.read_parquet(str(file)).order("id").to_arrow_table()
    assert found.select(rows.column_names).cast(rows.schema).equals(rows.combine_chunks())


def test_a_file_that_another_writer_wrote_is_read_with_all_that_its_footer_says() -> None:
    """Statistics, an index of pages, checksums and metadata make other footers than those of the record."""
    rows = _rows(3_000)
    files = []
    for names in (["id", "kind"], ["x", "title", "flag"]):
        sink = io.BytesIO()
        pq.write_table(
            rows.select(names).replace_schema_metadata({"written": "elsewhere"}),
            sink,
            row_group_size=700,
            write_page_checksum=True,
        )
        files.append(sink.getvalue())
    assert _read(side_by_side(*files)).equals(rows.select(["id", "kind", "x", "title", "flag"]))


def test_files_of_other_rows_do_not_stand_side_by_side() -> None:
    with pytest.raises(ValueError, match="other row groups"):
        side_by_side(encoded(_rows(3).select(["id"])), encoded(_rows(4).select(["x"])))


def test_a_dictionary_is_written_where_texts_come_again() -> None:
    group = pq.read_metadata(io.BytesIO(encoded(_rows(5_000)))).row_group(0)
    encodings = {
        group.column(place).path_in_schema: group.column(place).encodings
        for place in range(group.num_columns)
    }
    with_dictionary = [name for name, each in encodings.items() if any("DICTIONARY" in word for word in each)]
    assert with_dictionary == ["kind"]
