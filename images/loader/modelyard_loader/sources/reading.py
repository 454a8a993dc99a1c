"""What every source is asked and what it gives: batches of rows in canonical types, and the rows that do not fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.steps import NetworkRules, Owner, Published
from modelyard_api.v1alpha1.loading import ColumnSpec
from modelyard_runtime.errors import DataError
from modelyard_runtime.retry import Patience
from modelyard_runtime.s3 import ObjectStore

BATCH_ROWS = 32_768
"""Rows of a batch, about; fewer where they are wide."""
BATCH_BYTES = 8 * 1024 * 1024
VALUE_BYTES = 1024 * 1024
"""Bytes of one text at most."""
REJECTS_LIMIT = 1_000_000
"""Rows of one file that may not fit before reading is given up, whatever the step allows."""


class EmptySourceError(DataError):
    """There is nothing in the source yet, not even column names."""


@dataclass(frozen=True)
class SourceContext:
    """Where a source is read for, and what is known of it from before."""

    store: ObjectStore
    """Record of the project."""
    owner: Owner
    secrets: Path
    """Directory that holds the keys of the source's Secret as files."""
    scratch: Path
    """Empty local directory; files are spooled there as they are served."""
    network: NetworkRules = field(default_factory=NetworkRules)
    parent: Published | None = None
    key: tuple[str, ...] = ()
    """Columns of the primary key; those that the source has must be among the declared ones."""
    columns: tuple[Column, ...] = ()
    """Columns of the first load; what was inferred then is kept."""
    declared: tuple[ColumnSpec, ...] = ()
    """Columns that the spec asks for; they stand above those of the first load."""
    consumed: Mapping[str, str] = field(default_factory=dict)
    """What ``OpenSource.consumed`` gave before."""
    first_row: int = 1
    """Number of the first row that is read now."""
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class SourceBatch:
    """Rows in canonical types with the columns of the source."""

    rows: pa.RecordBatch
    numbers: np.ndarray
    """Number of each row in the source, int64; rows that were rejected leave gaps."""


@dataclass(frozen=True)
class Reject:
    """A row that does not fit."""

    row_number: int | None
    reason: str
    row: str
    """What the row says, at most 4 KiB of UTF-8."""


class OpenSource(ABC):
    """A source that is being read, once. ``rejects`` grows while ``batches`` is iterated; whoever reads may clear it."""

    columns: tuple[Column, ...]
    """Columns of the batches, known from the beginning."""
    whole: bool = True
    """Whether the batches are all rows of the source, or only what was not consumed before."""
    changed: tuple[str, ...] = ()
    """Objects that were consumed and are others now. They are read anew."""
    vanished: tuple[str, ...] = ()
    """Objects that were consumed and are gone."""

    def __init__(self) -> None:
        self.rejects: list[Reject] = []

    @abstractmethod
    def batches(self) -> Iterator[SourceBatch]:
        """The rows in the source's order. May give a batch without rows, so that ``rejects`` can be looked at."""

    def others(self) -> Iterator[SourceBatch]:
        """Rows of objects that are as they were when they were consumed, once ``batches`` is exhausted.

        They are asked for where an object ``changed``: a row that is gone from it may stand in one of these.
        """
        return iter(())

    @property
    @abstractmethod
    def digest(self) -> str:
        """``sha256:<hex>`` of what was read; known once ``batches`` is exhausted."""

    @property
    @abstractmethod
    def consumed(self) -> dict[str, str]:
        """What a later reading must be told; known once ``batches`` is exhausted."""

    def unchanged(self, consumed: Mapping[str, str], digest: str) -> bool:
        """Whether it is certain, before anything is read, that there is nothing new since those were given."""
        del consumed, digest
        return False

    @abstractmethod
    def close(self) -> None:
        """Lets go of connections and of files in the scratch directory."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
