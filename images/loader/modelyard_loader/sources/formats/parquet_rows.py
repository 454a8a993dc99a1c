"""Parquet: types are told by the file, so values are read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.sources import Files
from modelyard_loader.sources.conversion import RawBatch, RejectSink
from modelyard_loader.sources.drift import Wanted
from modelyard_loader.sources.formats.format import FileText, Format
from modelyard_loader.sources.formats.stream import FREE_BYTES, RATIO_LIMIT
from modelyard_loader.sources.reading import BATCH_BYTES, BATCH_ROWS
from modelyard_loader.sources.survey import Survey
from modelyard_loader.sources.typed import told_type
from modelyard_runtime.errors import DataError

_BUFFER_BYTES = 1024 * 1024


class ParquetFormat(Format):
    """Rows of a Parquet file."""

    settles_times = True

    def __init__(self, files: Files, source_field: str) -> None:
        del files, source_field

    def names(self, file: FileText) -> list[str]:
        """Names of the file's columns."""
        with _opened(file) as opened:
            return list(opened.schema_arrow.names)

    def survey(self, file: FileText, survey: Survey) -> None:
        """Takes the types that the file tells."""
        with _opened(file) as opened:
            schema = opened.schema_arrow
        survey.names(file.name, schema.names)
        for field in schema:
            type_, known = told_type(field, file.name), survey.type(field.name)
            survey.told(field.name, type_)
            if (
                type_ is not None
                and survey.type(field.name) is ColumnType.TEXT
                and known not in {None, type_}
            ):
                raise DataError(
                    f"column {field.name} is {type_} here and {known} in an earlier file",
                    field=file.name,
                    remedy="make the files alike, or say the type in spec.columns",
                )

    def types(self, file: FileText) -> dict[str, ColumnType]:
        """Canonical types of the columns."""
        with _opened(file) as opened:
            told = {field.name: told_type(field, file.name) for field in opened.schema_arrow}
        return {name: type_ for name, type_ in told.items() if type_ is not None}

    def rows(self, file: FileText, wanted: Sequence[Wanted], reject: RejectSink) -> Iterator[RawBatch]:
        """Rows in the file's own types."""
        del reject
        names = [each.name for each in wanted]
        reached = 0
        with _opened(file) as opened:
            for field in opened.schema_arrow:
                if field.name in names:
                    told_type(field, file.name)
            batches = opened.iter_batches(_batch_rows(opened), columns=names, use_threads=False)
            while (batch := _next(batches, file)) is not None:
                numbers = np.arange(reached + 1, reached + 1 + batch.num_rows, dtype=np.int64)
                reached += batch.num_rows
                yield RawBatch(batch.select(names), numbers)


def _next(batches: Iterator[pa.RecordBatch], file: FileText) -> pa.RecordBatch | None:
    try:
        return next(batches, None)
    except (pa.ArrowInvalid, OSError) as error:
        raise _broken(file, error) from error


def _opened(file: FileText) -> pq.ParquetFile:
    try:
        opened = pq.ParquetFile(file.path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
    except (pa.ArrowInvalid, OSError) as error:
        raise _broken(file, error) from error
    _check_size(opened, file)
    names = opened.schema_arrow.names
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise DataError(
            f"has more than one column called {twins[0]}",
            field=file.name,
            remedy="give every column a name of its own",
        )
    return opened


def _check_size(opened: pq.ParquetFile, file: FileText) -> None:
    """Raises DataError for pages that come to more than tables do, before one of them is unpacked."""
    size = sum(group.total_byte_size for group in _groups(opened))
    if size > max(FREE_BYTES, RATIO_LIMIT * file.path.stat().st_size):
        raise DataError(
            f"comes to more than {RATIO_LIMIT} times its packed size, as no table does",
            field=file.name,
            remedy="write the file with less compression, if it is sound",
        )


def _groups(opened: pq.ParquetFile) -> list[pq.RowGroupMetaData]:
    return [opened.metadata.row_group(place) for place in range(opened.metadata.num_row_groups)]


def _broken(file: FileText, error: Exception) -> DataError:
    return DataError(
        f"cannot be read as Parquet ({str(error).splitlines()[0]})",
        field=file.name,
        remedy="put a whole Parquet file there, or set format to what it is",
    )


def _batch_rows(opened: pq.ParquetFile) -> int:
    """Rows of a batch by the width that the file tells."""
    widest = max((each.total_byte_size // max(each.num_rows, 1) for each in _groups(opened)), default=0)
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(widest, 1)))
