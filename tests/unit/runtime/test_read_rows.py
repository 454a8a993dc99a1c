"""Reading of a Parquet file: the columns that are asked for, in that order, whatever their names are."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_runtime.manifests import read_rows

_ROWS = pa.table(
    {"id": [1, 2], "size": [0.5, None], "size.old": ["a", "b"], "empty": pa.nulls(2, pa.string())}
)


def test_all_columns_are_read_from_a_file_and_from_memory(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(_ROWS, file, store_schema=False)
    assert read_rows(file).equals(_ROWS)
    assert read_rows(pa.BufferReader(file.read_bytes())).equals(_ROWS)


def test_columns_come_in_the_order_in_which_they_are_asked_for_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(_ROWS, file, store_schema=False)
    for names in (["size", "id"], ["size.old", "size"], ["empty"]):
        assert read_rows(file, names).equals(_ROWS.select(names))


def test_reading_does_not_import_what_is_made_for_many_files(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(_ROWS, file)
    program = (
        "import sys; from modelyard_runtime.manifests import read_rows;"
        f" read_rows({str(file)!r}); sys.exit('pyarrow.dataset' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
