"""The form in which a model sees its features, at training and at serving alike: a plain array, columns by position.

- One column for each of the bundle's inputs, in their order.
- All inputs Integer, Number or Boolean: float64, a null held as NaN, true as 1.
- Some input Text: object; numbers are Python floats as above, a text is a ``str``, a null is ``float("nan")``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType


def empty_matrix(inputs: Sequence[Column], rows: int) -> np.ndarray:
    """An array of the right type and shape for the inputs, its values to be filled in."""
    texts = any(column.type is ColumnType.TEXT for column in inputs)
    return np.empty((rows, len(inputs)), dtype=np.object_ if texts else np.float64)


def feature_matrix(inputs: Sequence[Column], table: pa.Table) -> np.ndarray:
    """The inputs of each row of a table, shape (rows, inputs)."""
    matrix = empty_matrix(inputs, table.num_rows)
    for position, column in enumerate(inputs):
        values = table.column(column.name)
        if column.type is ColumnType.TEXT:
            texts = values.to_numpy()
            matrix[:, position] = np.where(values.is_null().to_numpy(), np.nan, texts)
        else:
            matrix[:, position] = values.cast(pa.float64()).to_numpy()
    return matrix
