"""DuckDB as a pure function: sees one table, no files, no extensions, one thread, settings locked."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from sqlglot import exp

from modelyard_loader.transforms.relation import DIALECT
from modelyard_runtime.errors import InvalidSpecError, StepError

SOURCE = "rows"
"""Name of the one table."""
ENGINE = f"duckdb {duckdb.__version__}"

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "allow_community_extensions": False,
    "error_on_division_by_zero": False,
    "temp_directory": "",
    "lock_configuration": True,
}


class EngineError(Exception):
    """The query failed on the rows; the message is the engine's first line."""


class Engine:
    """A throw-away database in memory."""

    def __init__(self, rows: pa.Table) -> None:
        self._connection = duckdb.connect(":memory:", config=_SETTINGS)
        self._connection.register(SOURCE, rows)

    def type_of(self, select: exp.Select, field: str) -> str:
        """SQL type of the only column of a query. Raises InvalidSpecError if the query has no meaning."""
        try:
            return str(self._connection.sql(select.sql(DIALECT)).types[0])
        except duckdb.Error as error:
            raise InvalidSpecError(
                f"the engine refuses it ({_first_line(error)})",
                field=field,
                remedy="check the types of the columns, and cast where they do not match",
            ) from error

    def run(self, select: exp.Select) -> pa.Table:
        """All rows of a query. Raises EngineError where values do not fit it, MemoryError where memory does not."""
        try:
            return self._connection.sql(select.sql(DIALECT)).to_arrow_table()
        except duckdb.OutOfMemoryException as error:
            raise MemoryError from error
        except (duckdb.DataError, duckdb.InvalidInputException) as error:
            raise EngineError(_first_line(error)) from error
        except duckdb.Error as error:
            raise StepError(f"the engine failed: {_first_line(error)}", field=ENGINE) from error

    def close(self) -> None:
        """Frees the memory."""
        self._connection.close()


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(".")
