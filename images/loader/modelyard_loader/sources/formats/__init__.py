"""How files hold rows: one module a format, and the registry that a new one is added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelyard_api.v1alpha1.sources import FileFormat, Files
from modelyard_loader.sources.formats.csv_rows import CsvFormat
from modelyard_loader.sources.formats.format import Format
from modelyard_loader.sources.formats.json_rows import JsonLinesFormat
from modelyard_loader.sources.formats.parquet_rows import ParquetFormat
from modelyard_runtime.errors import InvalidSpecError

FORMATS: Mapping[FileFormat, Callable[[Files, str], Format]] = {
    FileFormat.CSV: CsvFormat,
    FileFormat.JSON_LINES: JsonLinesFormat,
    FileFormat.PARQUET: ParquetFormat,
}
_ENDINGS = {
    "csv": FileFormat.CSV,
    "jsonl": FileFormat.JSON_LINES,
    "ndjson": FileFormat.JSON_LINES,
    "parquet": FileFormat.PARQUET,
}
_PACKINGS = ("gz", "zst")


def format_of(files: Files, name: str, field: str) -> FileFormat:
    """Format of a file by what the spec says, else by its name. Raises InvalidSpecError where neither tells."""
    if files.format is not None:
        return files.format
    parts = name.rsplit("/", 1)[-1].lower().split(".")
    if len(parts) > 1 and parts[-1] in _PACKINGS:
        parts.pop()
    found = _ENDINGS.get(parts[-1]) if len(parts) > 1 else None
    if found is None:
        raise InvalidSpecError(
            f"the name {name} does not tell its format",
            field=f"{field}.format",
            remedy=f"set it to {', '.join(FileFormat)}; names that end in {', '.join(_ENDINGS)} need it not",
        )
    return found
