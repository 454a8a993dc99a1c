"""Where rows come from: one module a kind of source, and the registry that a new one is added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelyard_api.v1alpha1.sources import Source
from modelyard_loader.sources.builtin import open_builtin
from modelyard_loader.sources.http import open_http
from modelyard_loader.sources.parent import open_dataset
from modelyard_loader.sources.reading import (
    EmptySourceError,
    OpenSource,
    Reject,
    SourceBatch,
    SourceContext,
)
from modelyard_loader.sources.s3 import open_s3
from modelyard_loader.sources.sql import open_sql
from modelyard_loader.sources.upload import open_upload

READERS: Mapping[str, Callable[[Source, SourceContext], OpenSource]] = {
    "builtin": open_builtin,
    "s3": open_s3,
    "http": open_http,
    "sql": open_sql,
    "upload": open_upload,
    "dataset": open_dataset,
}

__all__ = [
    "READERS",
    "EmptySourceError",
    "OpenSource",
    "Reject",
    "SourceBatch",
    "SourceContext",
    "open_source",
]


def open_source(source: Source, context: SourceContext) -> OpenSource:
    """Opens a source: what must be known of all its rows is found out here.

    Raises InvalidSpecError, DataError and PlatformError; EmptySourceError where there is nothing to read yet.
    """
    return READERS[source.chosen](source, context)
