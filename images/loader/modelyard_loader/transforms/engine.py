"""DuckDB as a pure function: sees one table, no files, no extensions, settings locked, memory and disk bounded."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType
from sqlglot import exp

from modelyard_loader.transforms.limits import Limits
from modelyard_loader.transforms.notes import Notes
from modelyard_loader.transforms.relation import DIALECT
from modelyard_loader.transforms.rows import BATCH_ROWS, Rows, Stream
from modelyard_loader.transforms.unicode_forms import NFKC_FUNCTION, composed
from modelyard_runtime.errors import DataError, InvalidSpecError, StepError

SOURCE = "rows"
"""Name of the one table."""
MARKED = "marked rows"
"""The same table with the column that says which rows are held out; no user's SQL can name it."""
ENGINE = f"duckdb {duckdb.__version__}"

_Settings = dict[str, str | bool | int | float | list[str]]
_SETTINGS: _Settings = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "allow_community_extensions": False,
    "error_on_division_by_zero": False,
    "preserve_insertion_order": False,
    "disabled_optimizers": "filter_pushdown,filter_pullup,reorder_filter,join_order,build_side_probe_side",
}
"""Filters stay where they stand: a transform must not meet rows that one before it has dropped. Joins stay as they are
written, the small side second: an estimate that is wrong would have all rows held in a hash table."""
_LOCKS = ("SET enable_external_access = false", "SET lock_configuration = true")
"""These come last: without access to the outside, the engine takes no word about its own directory either."""

_OF_VALUES = ("Conversion Error", "Out of Range Error", "Invalid Input Error", "Type Mismatch Error")


class EngineError(Exception):
    """The query failed on the rows; the message is the engine's first line."""


class Engine:
    """A throw-away database in memory that spills into a directory of its own."""

    def __init__(
        self, rows: Rows | pa.Table, limits: Limits | None = None, beside: Engine | None = None
    ) -> None:
        """An engine over ``rows``.

        One that stands ``beside`` another shares its database and therefore its limits, which costs a thirtieth of a
        database of its own; each can be used in another thread, and the other is closed last.
        """
        self.rows = rows if isinstance(rows, Rows) else Rows.of(rows)
        limits = limits or Limits()
        self._directory: Path | None = None
        if beside is None:
            # The engine makes it when it has to.
            self._directory = (
                limits.directory or Path(tempfile.gettempdir())
            ) / f"modelyard-engine-{uuid4()}"
            self._connection = _database(limits, self._directory)
            self.notes = Notes(self._connection)
        else:
            self._connection = beside._connection.cursor()  # noqa: SLF001  of its own kind
            self.notes = beside.notes
        self._streams = [Stream(self.rows, marked=False)]
        self._connection.register(SOURCE, self._streams[0])
        if self.rows.held_out is not None:
            self._streams.append(Stream(self.rows, marked=True))
            self._connection.register(MARKED, self._streams[1])

    def type_of(self, select: exp.Select, field: str) -> str:
        """SQL type of the only column of a query. Raises InvalidSpecError if the query has no meaning."""
        return next(iter(self.types_of(select, field).values()))

    def types_of(self, select: exp.Select, field: str) -> dict[str, str]:
        """SQL types of a query's columns. Raises InvalidSpecError if the query has no meaning."""
        try:
            relation = self._connection.sql(select.sql(DIALECT))
        except duckdb.Error as error:
            raise InvalidSpecError(
                f"the engine refuses it ({_first_line(error)})",
                field=field,
                remedy="check the types of the columns, and cast where they do not match",
            ) from error
        return dict(zip(relation.columns, (str(each) for each in relation.types), strict=True))

    def run(self, select: exp.Select) -> pa.Table:
        """All rows of a query. Raises what ``stream`` raises."""
        with self._told():
            return self._connection.sql(select.sql(DIALECT)).to_arrow_table()

    def stream(self, select: exp.Select | str) -> Iterator[pa.RecordBatch]:
        """Rows of a query, or of its text, in batches. One query runs at a time.

        Raises EngineError where values do not fit it, DataError where memory or disk do not suffice, and what the
        reading of the rows raises.
        """
        with self._told():
            query = select if isinstance(select, str) else select.sql(DIALECT)
            reader = self._connection.sql(query).to_arrow_reader(BATCH_ROWS)
            try:
                yield from reader
            finally:
                reader.close()

    def close(self) -> None:
        """Frees memory and disk."""
        self._connection.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the engine as ours. Those that come while a result is read bear their class in the text alone."""
        for stream in self._streams:
            stream.failure = None
        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> Exception:
        failure = next((stream.failure for stream in self._streams if stream.failure is not None), None)
        if failure is not None:
            return failure
        text = str(error)
        if isinstance(error, duckdb.OutOfMemoryException) or text.startswith("Out of Memory Error"):
            return _too_large(text)
        values = isinstance(error, (duckdb.DataError, duckdb.InvalidInputException))
        if values or text.startswith(_OF_VALUES):
            return EngineError(_first_line(error))
        if "No space left" in text:
            return _disk_full()
        return StepError(f"the engine failed: {_first_line(error)}", field=ENGINE)


def _database(limits: Limits, directory: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config=_settings(limits, directory))
    if limits.disk_bytes is not None:
        # Given to connect(), this setting would be shown but not obeyed.
        connection.execute(f"SET max_temp_directory_size = '{limits.disk_bytes}B'")
    for setting in _LOCKS:
        connection.execute(setting)
    connection.create_function(
        NFKC_FUNCTION,
        composed,
        [duckdb.sqltypes.VARCHAR],
        duckdb.sqltypes.VARCHAR,
        type=PythonUDFType.ARROW,
    )
    return connection


def _settings(limits: Limits, directory: Path) -> _Settings:
    settings = {**_SETTINGS, "threads": limits.threads, "temp_directory": str(directory)}
    if limits.memory_bytes is not None:
        settings["memory_limit"] = f"{limits.memory_bytes}B"
    return settings


def _too_large(text: str) -> DataError:
    if "offload" in text:
        return _disk_full()
    return DataError(
        f"the rows do not fit into memory ({text.split(chr(10), maxsplit=1)[0]})",
        field="spec.resources.limits.memory",
        remedy="ask for more memory, or leave rows and columns out before this transform",
    )


def _disk_full() -> DataError:
    return DataError(
        "the rows do not fit into the room for temporary files",
        field="/tmp",  # noqa: S108  as people know it
        remedy="ask for more of it: tmpSize of the loader in the chart's values",
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(".")
