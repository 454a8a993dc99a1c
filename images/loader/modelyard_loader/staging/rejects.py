"""Rows that do not fit: counted, kept up to the limit that the spec sets, and told."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from modelyard_api.v1alpha1.loading import OnReject
from modelyard_loader.sources.reading import Reject
from modelyard_runtime.errors import DataError

SCHEMA = pa.schema([("reason", pa.string()), ("row_number", pa.int64()), ("content", pa.string())])
"""How refused rows are held in files of the record and in ``data_rejects``."""
_CONTENT_BYTES = 4096


class Rejects:
    """The refused rows of one step."""

    def __init__(self, policy: OnReject) -> None:
        self._limit = policy.quarantine.limit if policy.quarantine else 0
        self._quarantines = policy.quarantine is not None
        self._kept: list[Reject] = []
        self._first: Reject | None = None
        self.count = 0

    @property
    def too_many(self) -> bool:
        """Whether the step fails, however the rest of the rows is; they are only counted then."""
        return self.count > self._limit

    @property
    def first_reason(self) -> str:
        """Why the first of them is refused; empty where none is."""
        return self._first.reason if self._first else ""

    @property
    def room(self) -> int:
        """How many more may be set aside."""
        return max(0, self._limit - len(self._kept))

    def add(self, rejects: Sequence[Reject]) -> None:
        """Refuses rows."""
        for each in rejects:
            if self._first is None or _number(each) < _number(self._first):
                self._first = each
        self.count += len(rejects)
        self._kept.extend(rejects[: self.room])

    def add_rows(self, rows: pa.RecordBatch, numbers: np.ndarray, reason: str) -> None:
        """Refuses all rows of a batch for one reason."""
        if not rows.num_rows:
            return
        shown = rows.slice(0, max(1, self.room)).to_pylist()
        self.add(
            [Reject(int(number), reason, content(row)) for number, row in zip(numbers, shown, strict=False)]
        )
        self.count += rows.num_rows - len(shown)

    def check(self) -> None:
        """Raises DataError if there are more of them than the step may set aside: it names the first."""
        if not self.too_many or self._first is None:
            return
        row = "a row" if self._first.row_number is None else f"row {self._first.row_number}"
        others = self.count - 1
        more = f"; so {'does' if others == 1 else 'do'} {others} more" if others else ""
        limit = f", and {self._limit} may be set aside in a step" if self._quarantines else ""
        raise DataError(
            f"{row} does not fit ({self._first.reason}){more}{limit}",
            field="source",
            remedy="correct the rows in the source, or raise spec.load.onReject.quarantine.limit"
            if self._quarantines
            else "correct the rows in the source, or set spec.load.onReject.quarantine to load the others",
        )

    def table(self) -> pa.Table:
        """The rows that are set aside, by their number in the source."""
        kept = sorted(self._kept, key=_number)
        columns = [
            [each.reason for each in kept],
            [each.row_number for each in kept],
            [each.row.replace("\0", "\\u0000") for each in kept],
        ]
        return pa.Table.from_arrays(
            [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)],
            schema=SCHEMA,
        )


def content(row: dict[str, object]) -> str:
    """A row as text, cut to what the table of refused rows holds."""
    text = json.dumps(row, ensure_ascii=False, default=str)
    return text.encode()[:_CONTENT_BYTES].decode(errors="ignore")


def _number(reject: Reject) -> int:
    return -1 if reject.row_number is None else reject.row_number
