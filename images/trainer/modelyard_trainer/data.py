"""Rows as arrays, checked: what scikit-learn would only complain about half way, or not at all, is said here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_api.contract.manifest import Column
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType, Json
from modelyard_runtime.errors import DataError
from modelyard_runtime.matrix import feature_matrix
from modelyard_runtime.table import Version
from modelyard_trainer.features import Plan

_FEWEST_ROWS = 2
_EXAMPLES = 16
_MOST_CLASSES = 1000


@dataclass(frozen=True)
class Part:
    """Rows of one side of the split."""

    examples: pa.Table
    """The inputs of the first rows as they are stored; all rows so would take as much memory as ``X`` again."""
    X: np.ndarray
    """Features, in the form of ``modelyard_runtime.matrix``."""
    y: np.ndarray
    """Target: float64 for regression; int64, bool or fixed-width text for classification."""

    @property
    def names(self) -> list[str]:
        """Of the columns of ``X``."""
        return list(self.examples.column_names)

    def rows(self, count: int) -> list[dict[str, Json]]:
        """The first rows, 16 at most, as JSON values, a missing one as None."""
        found: list[dict[str, Json]] = self.examples.slice(0, count).to_pylist()
        return [{name: _json(value) for name, value in row.items()} for row in found]


@dataclass(frozen=True)
class TrainingData:
    """Both sides of the split."""

    train: Part
    test: Part
    missing: dict[str, int]
    """Inputs with missing values in either part, and how many."""
    missing_in_training: frozenset[str]
    """Those of them that are missing in training rows."""
    weights: np.ndarray | None = None
    """Weight of each row of the training part, float64; None where all count the same."""


def prepare(version: Version, plan: Plan, task: Task) -> TrainingData:
    """Raises DataError where a model cannot be trained or judged on these rows."""
    train, test = version.train, version.test
    for name, table in (("training", train), ("test", test)):
        if table.num_rows < _FEWEST_ROWS:
            raise DataError(
                f"the {name} part of the data holds {table.num_rows} rows, {_FEWEST_ROWS} are needed",
                field="Dataset spec.split.testPercent",
                value=version.manifest.split.test_percent,
                remedy="Load more rows or change the split",
            )
        _check_target(table, plan.target, name)
        _check_finite(table, plan.inputs)
        _check_documents(table, plan, name)
    _check_not_empty(train, plan.inputs)
    data = TrainingData(
        train=part_of(train, plan, task),
        test=part_of(test, plan, task),
        missing=_missing(version.table, plan.inputs),
        missing_in_training=frozenset(_missing(train, plan.inputs)),
        weights=_weights(train, plan.weights) if plan.weights is not None else None,
    )
    _check_variety(data.train.y, plan.target, task)
    return data


def part_of(table: pa.Table, plan: Plan, task: Task) -> Part:
    """Rows as arrays, as they are."""
    first = np.arange(min(_EXAMPLES, table.num_rows))
    return Part(
        # A slice would keep the memory of all rows.
        examples=table.select([column.name for column in plan.inputs]).take(first),
        X=feature_matrix(plan.inputs, table),
        y=_target_values(table.column(plan.target.name), plan.target, task),
    )


def _target_values(column: pa.ChunkedArray, target: Column, task: Task) -> np.ndarray:
    if target.type is ColumnType.TEXT:
        # Fixed width, so that the model's classes are stored as plain bytes and not as Python objects.
        return np.array(column.to_pylist(), dtype=np.str_)
    held = column.cast(pa.float64()) if task is Task.REGRESSION else column
    return np.asarray(held.to_numpy())


def _weights(train: pa.Table, name: str) -> np.ndarray:
    column = train.column(name)
    missing = count_missing(column)
    if missing:
        raise DataError(
            f"misses its value in {missing} of {train.num_rows} training rows",
            field=f"weight {name}",
            remedy=f"Fill it in a variant of the Dataset: fillMissing, or dropMissing: {{columns: [{name}]}}",
        )
    values = np.asarray(column.cast(pa.float64()).to_numpy())
    wrong = int((~np.isfinite(values) | (values < 0)).sum())
    if wrong or not values.any():
        raise DataError(
            f"is negative or infinite in {wrong} training rows" if wrong else "is 0 in every training row",
            field=f"weight {name}",
            remedy="Use a column of finite numbers from 0 upwards, some of them above 0",
        )
    return values


def _check_target(table: pa.Table, target: Column, part: str) -> None:
    values = table.column(target.name)
    missing = count_missing(values)
    if missing:
        raise DataError(
            f"misses its value in {missing} of {table.num_rows} {part} rows",
            field=f"target {target.name}",
            remedy=f"Drop them in a variant of the Dataset: dropMissing: {{columns: [{target.name}]}}",
        )
    if target.type is ColumnType.NUMBER and not pc.all(pc.is_finite(values)).as_py():
        raise DataError(
            f"is infinite in some {part} rows",
            field=f"target {target.name}",
            remedy="Filter them out in a variant of the Dataset",
        )


def _check_finite(table: pa.Table, inputs: Sequence[Column]) -> None:
    for column in inputs:
        if column.type is not ColumnType.NUMBER:
            continue
        infinite = pc.sum(pc.is_inf(table.column(column.name))).as_py() or 0
        if infinite:
            raise DataError(
                f"holds {infinite} infinite values",
                field=f"feature {column.name}",
                remedy="Filter them out in a variant of the Dataset; a division by zero makes them",
            )


def _check_not_empty(train: pa.Table, inputs: Sequence[Column]) -> None:
    """Imputers would leave such a feature out with nothing but a warning."""
    empty = [column.name for column in inputs if count_missing(train.column(column.name)) == train.num_rows]
    if empty:
        raise DataError(
            f"has no value in any of {train.num_rows} training rows",
            field=f"feature {', '.join(empty[:10])}",
            remedy="Leave it out by spec.features, or fill it in a variant of the Dataset",
        )


def _check_documents(table: pa.Table, plan: Plan, part: str) -> None:
    """Vectorisers read every row of their column as a text."""
    for branch in plan.branches:
        if not branch.reads_text:
            continue
        name = plan.inputs[branch.positions[0]].name
        missing = count_missing(table.column(name))
        if missing:
            raise DataError(
                f"misses its text in {missing} of {table.num_rows} {part} rows",
                field=f"feature {name}",
                remedy=f"Drop them in a variant of the Dataset: dropMissing: {{columns: [{name}]}}",
            )


def _check_variety(y: np.ndarray, target: Column, task: Task) -> None:
    values = np.unique(y)
    if len(values) < _FEWEST_ROWS:
        what = "constant" if task is Task.REGRESSION else "of one class"
        raise DataError(
            f"is {what} in the training part: every row has {values[0]}",
            field=f"target {target.name}",
            remedy="Use another target, or a variant whose rows differ in it",
        )
    if task is Task.CLASSIFICATION and len(values) > _MOST_CLASSES:
        raise DataError(
            f"has {len(values)} different values, at most {_MOST_CLASSES} classes are taken",
            field=f"target {target.name}",
            remedy="Use task Regression, or a target with fewer values",
        )


def _missing(table: pa.Table, inputs: Sequence[Column]) -> dict[str, int]:
    counts = {column.name: count_missing(table.column(column.name)) for column in inputs}
    return {name: count for name, count in counts.items() if count}


def count_missing(values: pa.ChunkedArray) -> int:
    """Nulls and NaNs."""
    nans = (pc.sum(pc.is_nan(values)).as_py() or 0) if pa.types.is_floating(values.type) else 0
    return int(values.null_count + nans)


def _json(value: Json) -> Json:
    return None if isinstance(value, float) and not np.isfinite(value) else value
