"""Folds follow the rule by which the Dataset holds its test part out."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_trainer.evaluation.folds import make_folds
from tests.support.fitting import version_of

ROWS = 120
TABLE = pa.table(
    {
        "row": pa.array(range(ROWS)),
        "owner": pa.array([None if row % 11 == 0 else f"o{row % 17}" for row in range(ROWS)]),
        "day": pa.array([float(ROWS - row) if row % 13 else None for row in range(ROWS)]),
        "size": pa.array([float(row) for row in range(ROWS)]),
    }
)


def target(version_rows: int) -> np.ndarray:
    return np.asarray(np.arange(version_rows) % 4 == 0)


def test_every_row_is_judged_once_and_never_learnt_from_in_that_fold() -> None:
    version = version_of(TABLE)
    for task in Task:
        folds = make_folds(version, target(version.train.num_rows), task, 4)
        judged = np.concatenate([test for _, test in folds.pairs])
        assert sorted(judged.tolist()) == list(range(version.train.num_rows))
        assert all(not set(learn.tolist()) & set(test.tolist()) for learn, test in folds.pairs)
        again = make_folds(version, target(version.train.num_rows), task, 4)
        assert [test.tolist() for _, test in folds.pairs] == [test.tolist() for _, test in again.pairs]


def test_classes_have_the_same_share_in_every_fold() -> None:
    version = version_of(TABLE)
    y = target(version.train.num_rows)
    shares = [y[test].mean() for _, test in make_folds(version, y, Task.CLASSIFICATION, 4).pairs]
    assert max(shares) - min(shares) < 0.05


@pytest.mark.parametrize("task", Task)
def test_rows_of_one_group_stay_together_and_rows_without_one_are_spread(task: Task) -> None:
    version = version_of(TABLE, split=Split(group_by="owner"))
    owners = np.array(version.train.column("owner").to_pylist(), dtype=object)
    folds = make_folds(version, target(len(owners)), task, 3)
    for learn, test in folds.pairs:
        assert not {own for own in owners[learn] if own} & {own for own in owners[test] if own}
    assert sum(any(own is None for own in owners[test]) for _, test in folds.pairs) > 1
    assert folds.rule == "rows of one owner stay together"


def test_copies_of_a_loaded_row_stay_together() -> None:
    copies = TABLE.append_column("copy", pa.array(range(ROWS))).set_column(
        0, "row", pa.array([row // 3 for row in range(ROWS)])
    )
    version = version_of(copies, key=("row", "copy"))
    version = replace(version, manifest=version.manifest.model_copy(update={"origin": ["row"]}))
    rows = np.array(version.train.column("row").to_pylist())
    for learn, test in make_folds(version, target(len(rows)), Task.REGRESSION, 3).pairs:
        assert not set(rows[learn].tolist()) & set(rows[test].tolist())


def test_folds_in_time_learn_from_the_past_alone() -> None:
    version = version_of(TABLE, split=Split(time_column="day"))
    days = np.array([day or -1.0 for day in version.train.column("day").to_pylist()])
    folds = make_folds(version, target(len(days)), Task.REGRESSION, 3)
    assert folds.ordered
    assert [days[learn].max() <= days[test].min() for learn, test in folds.pairs] == [True] * 3


def test_folds_that_cannot_be_made_are_refused_with_the_reason() -> None:
    few = version_of(TABLE.slice(0, 12))
    with pytest.raises(DataError, match=r"too many for \d+ rows"):
        make_folds(few, target(few.train.num_rows), Task.REGRESSION, 9)
    one = version_of(TABLE.set_column(1, "owner", pa.array(["a"] * ROWS)), split=Split(group_by="owner"))
    one = replace(one, is_test=np.arange(ROWS) < 20)
    with pytest.raises(DataError, match="too many for 1 different values of owner"):
        make_folds(one, target(one.train.num_rows), Task.REGRESSION, 3)
    whole = version_of(TABLE, split=Split(group_by="owner"))
    gone = replace(whole, table=TABLE.drop_columns("owner"))
    with pytest.raises(InvalidSpecError, match="the split's column owner"):
        make_folds(gone, target(gone.train.num_rows), Task.REGRESSION, 3)
    rare = version_of(TABLE)
    y = np.arange(rare.train.num_rows) == 0
    with pytest.raises(DataError, match="rows of one class to learn from"):
        make_folds(rare, y, Task.CLASSIFICATION, 3)
