"""Folds of the training part, made by the rule that the Dataset holds its test part out by."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from modelyard_api.metrics import Task
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_runtime.split import asked_column
from modelyard_runtime.table import Version

_FIELD = "spec.evaluation.crossValidation.folds"
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Folds:
    """Places of rows in the training part: to learn from and to judge on, one pair a fold."""

    pairs: list[Pair]
    rule: str
    """How they were made, as a clause for people."""
    ordered: bool = False
    """True where rows to learn from are in order of time."""


def make_folds(version: Version, y: np.ndarray, task: Task, count: int) -> Folds:
    """Raises DataError or InvalidSpecError where the rows do not make so many folds."""
    split, train = version.manifest.split, version.train
    _enough("rows", len(y), count)
    column = asked_column(split)
    if column is not None and column not in train.column_names:
        raise InvalidSpecError(
            f"cannot be made by the split's column {column}, which this variant does not have",
            field=_FIELD,
            value=count,
            remedy="Keep the column in the variant; spec.features can exclude it from the model",
        )
    if split.time_column is not None:
        folds = _by_time(train.column(split.time_column), count, split.time_column)
    elif (groups := _groups(version, train)) is not None:
        folds = _by_group(*groups, y, task, count, split.seed)
    else:
        classes, name = _classes(version, train, y, task)
        folds = _by_class(classes, name, count, split.seed, len(y))
    _check_classes(folds, y, task, count)
    return folds


def _enough(what: str, found: int, count: int) -> None:
    if found < (2 * count if what == "rows" else count):
        raise DataError(
            f"are too many for {found} {what} of the training part",
            field=_FIELD,
            value=count,
            remedy="Use fewer folds or load more rows",
        )


def _by_time(times: pa.ChunkedArray, count: int, name: str) -> Folds:
    if pa.types.is_floating(times.type):
        times = pc.if_else(pc.is_nan(times), pa.scalar(None, times.type), times)
    order = pc.sort_indices(times, sort_keys=[("", "ascending", "at_start")]).to_numpy()
    made = TimeSeriesSplit(n_splits=count).split(order)
    return Folds(
        [(order[learn], order[judge]) for learn, judge in made],
        f"each judged on rows that come later by {name} than those learnt from",
        ordered=True,
    )


def _groups(version: Version, train: pa.Table) -> tuple[np.ndarray, str] | None:
    """Codes of rows that must stay together: those of a group, or those that come from one loaded row."""
    manifest = version.manifest
    if manifest.split.group_by is not None:
        return _codes(train, [manifest.split.group_by]), manifest.split.group_by
    origin = [name for name in manifest.origin if name in train.column_names]
    if not origin or len(origin) < len(manifest.origin) or set(origin) == set(manifest.key):
        return None
    return _codes(train, origin), f"loaded row ({', '.join(origin)})"


def _codes(table: pa.Table, names: list[str]) -> np.ndarray:
    """One number for each different combination of values; a row without a value is on its own."""
    codes = np.zeros(table.num_rows, dtype=np.int64)
    alone = np.zeros(table.num_rows, dtype=bool)
    for name in names:
        encoded = pc.dictionary_encode(table.column(name).combine_chunks())
        alone |= ~encoded.is_valid().to_numpy(zero_copy_only=False)
        places = encoded.indices.fill_null(0).to_numpy()
        codes = np.unique(codes * (len(encoded.dictionary) + 1) + places, return_inverse=True)[1]
    codes[alone] = codes.max(initial=0) + 1 + np.arange(int(alone.sum()))
    return codes


def _by_group(groups: np.ndarray, name: str, y: np.ndarray, task: Task, count: int, seed: int) -> Folds:
    _enough(f"different values of {name}", len(np.unique(groups)), count)
    if task is Task.CLASSIFICATION and np.unique(y, return_counts=True)[1].max() >= count:
        splitter: StratifiedGroupKFold | GroupKFold = StratifiedGroupKFold(
            count, shuffle=True, random_state=seed
        )
    else:
        splitter = GroupKFold(count)
    return Folds(_quietly(splitter.split(groups, y, groups)), f"rows of one {name} stay together")


def _classes(version: Version, train: pa.Table, y: np.ndarray, task: Task) -> tuple[np.ndarray | None, str]:
    by = version.manifest.split.stratify_by
    if by is not None:
        return _codes(train, [by]), by
    return (y, "the target") if task is Task.CLASSIFICATION else (None, "")


def _by_class(classes: np.ndarray | None, name: str, count: int, seed: int, rows: int) -> Folds:
    if classes is None or np.unique(classes, return_counts=True)[1].max() < count:
        drawn = KFold(count, shuffle=True, random_state=seed).split(np.zeros(rows))
        return Folds(list(drawn), f"drawn at random with seed {seed}")
    drawn = StratifiedKFold(count, shuffle=True, random_state=seed).split(np.zeros(rows), classes)
    return Folds(
        _quietly(drawn), f"each with the same share of every class of {name}, drawn with seed {seed}"
    )


def _quietly(pairs: Iterator[Pair]) -> list[Pair]:
    """A class with fewer rows than folds is missing in some: their metrics say so themselves."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(pairs)


def _check_classes(folds: Folds, y: np.ndarray, task: Task, count: int) -> None:
    if task is not Task.CLASSIFICATION:
        return
    for number, (learn, judge) in enumerate(folds.pairs):
        if not len(judge) or len(np.unique(y[learn])) < 2:  # noqa: PLR2004  one class cannot be told from another
            raise DataError(
                f"leave fold {number + 1} with rows of one class to learn from",
                field=_FIELD,
                value=count,
                remedy="Use fewer folds, or a target with more rows of each class",
            )
