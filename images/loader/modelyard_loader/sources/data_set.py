"""What every source gives."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class SourceData:
    """Rows of a source as they were read, in its order, held in canonical types."""

    table: pa.Table
    digest: str
    """``sha256:<hex>`` of the bytes that were read."""
