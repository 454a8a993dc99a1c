"""Parquet files of the server, read by two libraries that did not write them."""

import io
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from modelyard_server.monitoring.parquet import Column, Kind, constant, fixed, texts, write

ROWS = 37
PLACES = np.arange(ROWS)


def table() -> list[Column]:
    present = PLACES % 3 != 0
    words = [f"wort ä {place}" for place in PLACES[present]]
    return [
        fixed("time", Kind.TIME, PLACES * 1_000_000 + 1_700_000_000_000_000),
        fixed("whole", Kind.INTEGER, PLACES - 5, present),
        fixed("number", Kind.NUMBER, PLACES / 7, present),
        fixed("flag", Kind.BOOLEAN, PLACES % 2 == 0, present),
        Column("word", Kind.TEXT, present, texts(words)),
        constant("version", "3", ROWS),
        constant("digest", None, ROWS),
        fixed("nothing", Kind.NUMBER, np.zeros(ROWS), np.zeros(ROWS, dtype=bool)),
    ]


def expected(place: int) -> dict[str, object]:
    there = place % 3 != 0
    return {
        "time": datetime.fromtimestamp(1_700_000_000 + place, UTC),
        "whole": place - 5 if there else None,
        "number": place / 7 if there else None,
        "flag": place % 2 == 0 if there else None,
        "word": f"wort ä {place}" if there else None,
        "version": "3",
        "digest": None,
        "nothing": None,
    }


def test_pyarrow_reads_what_was_written() -> None:
    found = pq.read_table(io.BytesIO(write(table()))).to_pylist()
    assert found == [expected(place) for place in range(ROWS)]


def test_duckdb_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(write(table()))
    with duckdb.connect() as connection:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        assert {name: kind for name, kind, *_ in described} == {
            "time": "TIMESTAMP WITH TIME ZONE",
            "whole": "BIGINT",
            "number": "DOUBLE",
            "flag": "BOOLEAN",
            "word": "VARCHAR",
            "version": "VARCHAR",
            "digest": "VARCHAR",
            "nothing": "DOUBLE",
        }
        found = connection.execute(
            "SELECT count(*), sum(whole), count(flag), max(word), min(version), epoch_us(max(time))"
            " FROM read_parquet(?)",
            [str(path)],
        ).fetchone()
        assert found == (ROWS, sum(PLACES[PLACES % 3 != 0] - 5), 24, "wort ä 8", "3", 1_700_000_036_000_000)


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 100_000])
def test_any_number_of_rows_is_read_back(rows: int) -> None:
    values = np.arange(rows) * 1.5
    present = np.arange(rows) % 5 != 1
    columns = [fixed("a", Kind.NUMBER, values, present), fixed("b", Kind.BOOLEAN, values > 3)]
    found = pq.read_table(io.BytesIO(write(columns)))
    assert found.column("a").null_count == int((~present).sum())
    assert np.array_equal(found.column("a").drop_null().to_numpy(), values[present])
    assert found.column("b").to_pylist() == (values > 3).tolist()


def test_many_columns_are_read_back() -> None:
    found = pq.read_table(io.BytesIO(write([constant(f"c{place}", "x", 2) for place in range(300)])))
    assert found.column_names == [f"c{place}" for place in range(300)]


def test_half_of_a_surrogate_pair_does_not_stop_a_file() -> None:
    found = pq.read_table(io.BytesIO(write([constant("a", "x\ud83d", 1)])))
    assert found.column("a").to_pylist() == ["x?"]
