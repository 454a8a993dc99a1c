"""Runs compared on the same rows, and the file of answers that this takes."""

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.v1alpha1.training_job import Bootstrap
from modelyard_runtime.errors import DataError
from modelyard_trainer.evaluation.answers import MOST_SCORES, Answers, answers_file, read_answers
from modelyard_trainer.evaluation.bootstrap import intervals
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.metrics import MEASURES
from modelyard_trainer.evaluation.paired import difference

ROWS = 600
RNG = np.random.default_rng(12)
HARD = RNG.normal(0, 3, ROWS)
"""An error that every model makes."""
KEYS = np.arange(ROWS, dtype=np.uint64)
TRUTH = RNG.normal(size=ROWS)


def regressing(error: np.ndarray, rows: np.ndarray = KEYS) -> Answers:
    places = rows.astype(np.int64)
    return Answers(rows, Judged(TRUTH[places], TRUTH[places] + error[places]))


def test_a_difference_on_the_same_rows_is_seen_where_two_intervals_overlap() -> None:
    first, second = regressing(HARD), regressing(HARD + 0.2 * np.sign(HARD))
    wanted = {"mae": MEASURES["mae"]}
    one, other = (intervals(own.judged, wanted, Bootstrap())["mae"] for own in (first, second))
    assert one.high > other.low
    found = difference(first, second, "mae", Bootstrap())
    assert found.value == pytest.approx(0.2)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(0.2)
    assert found.told_apart
    assert difference(second, first, "mae", Bootstrap()).value == pytest.approx(-0.2)


def test_the_interval_of_a_difference_is_that_of_theory() -> None:
    noise = RNG.normal(0, 1, ROWS)
    first, second = regressing(HARD), regressing(HARD + noise)
    found = difference(first, second, "mae", Bootstrap(resamples=3000))
    each = np.abs(HARD + noise) - np.abs(HARD)
    half = 1.96 * each.std(ddof=1) / np.sqrt(ROWS)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(each.mean() - half, abs=0.1 * half)
    assert found.interval.high == pytest.approx(each.mean() + half, abs=0.1 * half)


def test_models_that_err_alike_are_not_told_apart_and_the_same_model_differs_by_nothing() -> None:
    swapped = regressing(RNG.permutation(HARD))
    assert not difference(regressing(HARD), swapped, "rmse", Bootstrap()).told_apart
    same = difference(regressing(HARD), regressing(HARD), "rmse", Bootstrap())
    assert same.value == 0
    assert not same.told_apart


def test_runs_are_compared_on_the_rows_that_both_have_in_whatever_order() -> None:
    some = RNG.permutation(KEYS)[:200]
    found = difference(regressing(HARD), regressing(HARD + 0.3 * np.sign(HARD), some), "mae", Bootstrap())
    assert found.rows == 200
    assert found.value == pytest.approx(0.3)
    with pytest.raises(DataError, match="both have 20 test rows, and 30 are needed"):
        difference(regressing(HARD), regressing(HARD, KEYS[:20]), "mae", Bootstrap())
    other = Answers(KEYS, Judged(TRUTH + 1, TRUTH))
    with pytest.raises(DataError, match="some differ in the target"):
        difference(regressing(HARD), other, "mae", Bootstrap())


def test_a_metric_that_the_kept_answers_do_not_tell_is_named() -> None:
    labels = np.where(TRUTH > 0, "high", "low")
    bare = Answers(KEYS, Judged(labels, labels, np.array(["high", "low"])))
    with pytest.raises(DataError, match="does not tell roc_auc"):
        difference(bare, bare, "roc_auc", Bootstrap())
    with pytest.raises(DataError, match="does not tell nonsense"):
        difference(bare, bare, "nonsense", Bootstrap())
    assert difference(bare, bare, "f1_class_high", Bootstrap()).value == 0


@pytest.mark.parametrize("kind", ["numbers", "probabilities", "decisions", "bool"])
def test_answers_come_back_from_their_file_as_they_were(kind: str) -> None:
    labels = TRUTH > 0 if kind == "bool" else np.where(TRUTH > 0, "high", "löw")
    classes, scores = np.unique(labels), RNG.random((ROWS, 2))
    judged = {
        "numbers": Judged(TRUTH, TRUTH + HARD),
        "probabilities": Judged(labels, labels[::-1], classes, scores),
        "decisions": Judged(labels, labels[::-1], classes, decisions=scores),
        "bool": Judged(labels, labels[::-1], classes, scores),
    }[kind]
    test = pa.table({"id": pa.array(range(ROWS)), "truth": pa.array([str(row) for row in range(ROWS)])})
    content = answers_file(judged, test, ["id", "truth"])
    assert content == answers_file(judged, test, ["id", "truth"])
    back = read_answers(content, "file")
    assert len(np.unique(back.rows)) == ROWS
    for name in ("truth", "predicted", "classes", "probabilities", "decisions"):
        was, now = getattr(judged, name), getattr(back.judged, name)
        assert (was is None) == (now is None)
        if was is not None:
            assert now.tolist() == was.tolist()
            assert now.dtype.kind == was.dtype.kind


def test_scores_of_very_many_classes_are_left_out() -> None:
    rows = MOST_SCORES // 1000 + 1
    classes = np.arange(1000)
    truth = np.arange(rows) % 1000
    judged = Judged(truth, truth, classes, np.zeros((rows, 1000)))
    back = read_answers(answers_file(judged, pa.table({"id": pa.array(range(rows))}), ["id"]), "file")
    assert back.judged.scores is None
    assert back.judged.classes is not None


@pytest.mark.parametrize("content", [b"", b"PAR1", b"{}"])
def test_another_file_is_refused_by_its_name(content: bytes) -> None:
    with pytest.raises(DataError, match=r"x\.parquet: holds no predictions"):
        read_answers(content, "x.parquet")
