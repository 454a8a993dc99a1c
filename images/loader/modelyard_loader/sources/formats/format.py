"""What every format of files can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.sources.conversion import RawBatch, RejectSink
from modelyard_loader.sources.drift import Wanted
from modelyard_loader.sources.survey import Survey


@dataclass(frozen=True)
class FileText:
    """A file on this machine and the name that people know it by."""

    path: Path
    name: str


class Format(ABC):
    """A way to hold rows in a file."""

    settles_times: bool
    """Whether the format has times of its own; else texts that are times are found out."""
    only_wanted: bool = False
    """Whether names besides the wanted ones are refused, where they stand in the rows."""

    @abstractmethod
    def survey(self, file: FileText, survey: Survey) -> None:
        """Tells names and types of the whole file."""

    @abstractmethod
    def rows(self, file: FileText, wanted: Sequence[Wanted], reject: RejectSink) -> Iterator[RawBatch]:
        """The rows of the wanted columns. Raises DataError for a file that cannot be read, or lacks one of them."""

    @abstractmethod
    def names(self, file: FileText) -> list[str] | None:
        """Names of the columns, or None where they stand in the rows."""

    def types(self, file: FileText) -> dict[str, ColumnType]:
        """Canonical type of each column where the file tells it; none where values decide."""
        del file
        return {}
