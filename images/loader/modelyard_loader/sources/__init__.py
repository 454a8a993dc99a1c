"""Where rows come from: one module a kind of source, and the registry that a new one is added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelyard_api.v1alpha1.sources import Source
from modelyard_loader.sources.builtin import read_builtin
from modelyard_loader.sources.data_set import SourceData

READERS: Mapping[str, Callable[[Source], SourceData]] = {
    "builtin": read_builtin,
}


def read_source(source: Source) -> SourceData:
    """All rows of a source."""
    return READERS[source.chosen](source)
