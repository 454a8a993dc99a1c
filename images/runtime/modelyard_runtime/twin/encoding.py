"""Encoders: a category becomes a column of its own, or a number. One table for each feature says which."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, NotCompiledError, Transform, require
from modelyard_runtime.twin.rows import Row, Rows, SparseRow, SparseRows

ONE_HOT = "oneHot"
ORDINAL = "ordinal"
_DENSE_WIDTH = 64
"""Up to this many columns, zeros and all are faster than a list of the ones."""
_MAX_WIDTH = 1 << 24
_NO_COLUMN = -1.0


def compile_one_hot(encoder: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted OneHotEncoder."""
    require(np.dtype(encoder.dtype) == np.float64, f"OneHotEncoder makes {np.dtype(encoder.dtype)}")
    infrequent = encoder.infrequent_categories_ if getattr(encoder, "_infrequent_enabled", False) else []
    answers = _asked(encoder)
    ends = np.cumsum(encoder._n_features_outs)  # noqa: SLF001
    codes, unknown = [], []
    for at, (own, end) in enumerate(zip(answers, ends, strict=True)):
        block = own[:, end - encoder._n_features_outs[at] : end]  # noqa: SLF001
        start = float(end - encoder._n_features_outs[at])  # noqa: SLF001
        found = np.where(block.any(axis=1), start + block.argmax(axis=1, keepdims=False), _NO_COLUMN)
        codes.append(found)
        rare = infrequent[at] if len(infrequent) else None
        unknown.append(_NO_COLUMN if rare is None else _code_of(encoder.categories_[at], rare[0], found))
    if encoder.handle_unknown not in {"infrequent_if_exist", "warn"}:
        unknown = [_NO_COLUMN] * len(unknown)
    return _table(
        ONE_HOT, encoder, codes, unknown, refuses=encoder.handle_unknown == "error", width=int(ends[-1])
    )


def compile_ordinal(encoder: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted OrdinalEncoder."""
    require(np.dtype(encoder.dtype) == np.float64, f"OrdinalEncoder makes {np.dtype(encoder.dtype)}")
    codes = [own[:, at] for at, own in enumerate(_asked(encoder))]
    refuses = encoder.handle_unknown == "error"
    unknown = [math.nan if refuses else float(encoder.unknown_value)] * len(codes)
    return _table(ORDINAL, encoder, codes, unknown, refuses=refuses, width=len(codes))


def build_one_hot(node: Node, _: BuildStep) -> Transform:
    """Kernel of a OneHotEncoder."""
    return _OneHot(_tables(node, whole=True), node.count("width", _MAX_WIDTH))


def build_ordinal(node: Node, _: BuildStep) -> Transform:
    """Kernel of an OrdinalEncoder."""
    return _Ordinal(_tables(node, whole=False))


def _asked(encoder: Any) -> list[np.ndarray]:  # noqa: ANN401
    """For each feature the encoder's own answers for each of its categories, the other features being constant."""
    first = [categories[0] for categories in encoder.categories_]
    found = []
    for at, categories in enumerate(encoder.categories_):
        rows = np.empty((len(categories), len(first)), dtype=np.object_)
        rows[:] = first
        rows[:, at] = categories
        if all(own.dtype.kind == "f" for own in encoder.categories_):
            rows = rows.astype(np.float64)
        answer = encoder.transform(rows)
        found.append(np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer, dtype=np.float64))
    return found


def _code_of(categories: np.ndarray, wanted: object, codes: np.ndarray) -> float:
    for category, code in zip(categories.tolist(), codes.tolist(), strict=True):
        if category == wanted or (_is_nan(category) and _is_nan(wanted)):
            return float(code)
    raise NotCompiledError("OneHotEncoder names a rare category that it does not know")


def _table(
    kind: str,
    encoder: Any,  # noqa: ANN401
    codes: list[np.ndarray],
    unknown: list[float],
    *,
    refuses: bool,
    width: int,
) -> Node:
    arrays: dict[str, np.ndarray] = {"unknown": np.asarray(unknown, dtype=np.float64)}
    texts: dict[str, tuple[str, ...]] = {}
    missing, knows = list(unknown), [False] * len(unknown)
    for at, categories in enumerate(encoder.categories_):
        values = categories.tolist()
        kept = [position for position, value in enumerate(values) if not _is_nan(value)]
        for position in set(range(len(values))) - set(kept):
            missing[at], knows[at] = float(codes[at][position]), True
        plain = [values[position] for position in kept]
        if all(isinstance(value, str) for value in plain):
            texts[f"values{at}"] = tuple(plain)
        elif all(isinstance(value, int | float) for value in plain):
            arrays[f"values{at}"] = np.asarray(plain, dtype=np.float64)
        else:
            raise NotCompiledError(
                f"{type(encoder).__name__} knows categories that are neither texts nor numbers"
            )
        arrays[f"codes{at}"] = np.asarray(codes[at], dtype=np.float64)[kept]
    arrays["missing"] = np.asarray(missing, dtype=np.float64)
    arrays["knowsMissing"] = np.asarray(knows, dtype=np.bool_)
    settings = {"refusesUnknown": refuses, "width": width}
    return Node(kind, settings=settings, arrays=arrays, texts=texts)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


class _Missing:
    """What stands for NaN in a table, since NaN is not even equal to itself."""


@dataclass(frozen=True)
class _Table:
    codes: dict[object, float]
    missing: float | None
    unknown: float | None
    """None: refused."""

    def code(self, value: object) -> float:
        found = self.codes.get(value) if value == value else self.missing  # noqa: PLR0124  NaN alone is not itself
        if found is None:
            found = self.unknown
        if found is None:
            raise ValueError(f"Found unknown category {value!r} during transform")
        return found


@dataclass(frozen=True)
class _Tables:
    features: tuple[_Table, ...]

    def known(self, row: Row) -> list[float] | None:
        """The codes of a single row of which every category is known."""
        if not isinstance(row, np.ndarray) or len(row) != len(self.features):
            return None
        found = [table.codes.get(value) for table, value in zip(self.features, row.tolist(), strict=True)]
        codes = [code for code in found if code is not None]
        return codes if len(codes) == len(found) else None

    def codes(self, rows: Rows) -> np.ndarray:
        """The code of each value, shape (rows, features)."""
        held = rows if isinstance(rows, np.ndarray) else rows.dense()
        if held.ndim != 2 or held.shape[1] != len(self.features):  # noqa: PLR2004  rows and columns
            raise ValueError(f"X has not the {len(self.features)} columns that the encoder was fitted with.")
        if held.dtype == np.float64 and np.isinf(held).any():
            raise ValueError("Input contains infinity")
        columns = [
            [code(value) for value in held[:, at].tolist()]
            for at, code in enumerate(table.code for table in self.features)
        ]
        return np.asarray(columns, dtype=np.float64).T


@dataclass(frozen=True)
class _Ordinal:
    tables: _Tables

    def __call__(self, rows: Rows) -> Rows:
        return self.tables.codes(rows)

    def alone(self, row: Row) -> Row | None:
        codes = self.tables.known(row)
        return None if codes is None else np.array(codes)


@dataclass(frozen=True)
class _OneHot:
    tables: _Tables
    width: int

    def alone(self, row: Row) -> Row | None:
        codes = self.tables.known(row)
        if codes is None:
            return None
        columns = np.array([code for code in codes if code >= 0], dtype=np.intp)
        return SparseRow(columns, np.ones(len(columns)), self.width)

    def __call__(self, rows: Rows) -> Rows:
        codes = self.tables.codes(rows)
        count = len(codes)
        if self.width <= _DENSE_WIDTH:
            out = np.zeros((count, self.width + 1))
            # Values without a column fall into the last, which is cut off.
            out[np.arange(count)[:, np.newaxis], codes.astype(np.int64)] = 1.0
            return out[:, : self.width]
        has_column = codes >= 0
        starts = np.concatenate([[0], np.cumsum(has_column.sum(axis=1))])
        columns = codes[has_column].astype(np.int64)
        return SparseRows(starts, columns, np.ones(len(columns)), self.width)


def _tables(node: Node, *, whole: bool) -> _Tables:
    unknown = node.numbers("unknown", np.float64, None)
    features = len(unknown)
    width = node.count("width", _MAX_WIDTH)
    missing = node.numbers("missing", np.float64, features)
    knows = node.numbers("knowsMissing", np.bool_, features)
    refuses = node.flag("refusesUnknown")
    tables = []
    known = 0
    for at in range(features):
        values: tuple[str, ...] | list[float]
        if f"values{at}" in node.texts:
            values = node.words(f"values{at}")
        else:
            values = node.numbers(f"values{at}", np.float64, None).tolist()
        codes = node.numbers(f"codes{at}", np.float64, len(values))
        if whole and not _are_columns(np.concatenate([codes, missing, unknown]), width):
            raise node.broken(f"codes{at}")
        known += len(values) + 1
        tables.append(
            _Table(
                codes=dict(zip(values, codes.tolist(), strict=True)),
                missing=float(missing[at]) if knows[at] else None,
                unknown=None if refuses else float(unknown[at]),
            )
        )
    if whole and width > known:
        raise node.broken("width")  # columns that no value can be in
    return _Tables(tuple(tables))


def _are_columns(codes: np.ndarray, width: int) -> bool:
    if not np.isfinite(codes).all():
        return False
    return bool(((codes >= _NO_COLUMN) & (codes < width) & (codes == np.floor(codes))).all())
