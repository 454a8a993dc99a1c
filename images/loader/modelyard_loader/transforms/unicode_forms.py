"""The one form of Unicode that DuckDB does not know, computed by Arrow."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

NFKC_FUNCTION = "modelyard_nfkc"


def composed(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts in form NFKC; nulls stay."""
    return pc.utf8_normalize(texts, form="NFKC")
