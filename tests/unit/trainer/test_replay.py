"""What differs between a run and its replay."""

import math

import numpy as np

from modelyard_api.contract.bundle import Library
from modelyard_trainer.evaluation.answers import Answers
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.replay import differences
from modelyard_trainer.replay.environment import installed


def answers(predicted: list[float], rows: list[int] | None = None) -> Answers:
    truth = np.zeros(len(predicted))
    return Answers(
        np.array(rows or range(len(predicted)), dtype=np.uint64), Judged(truth, np.array(predicted))
    )


def test_libraries_of_another_version_gone_or_new_are_named() -> None:
    before = [
        Library(name="a", version="1"),
        Library(name="b", version="1"),
        Library(name="same", version="1"),
    ]
    now = [Library(name="a", version="2"), Library(name="c", version="1"), Library(name="same", version="1")]
    assert list(differences.of_libraries(before, now)) == [
        "libraries: a 1, now 2; b 1, now absent; c absent, now 1"
    ]
    assert list(differences.of_libraries(now, now)) == []


def test_the_environment_names_python_and_each_package_once() -> None:
    names = [item.name for item in installed()]
    assert names[0] == "python"
    assert "scikit-learn" in names
    assert len(set(names)) == len(names)


def test_metrics_are_equal_to_the_last_bit_or_named() -> None:
    nearly = math.nextafter(0.5, 1)
    assert list(differences.of_metrics({"rmse": 0.5}, {"rmse": nearly})) == [
        f"metrics: rmse 0.5, now {nearly!r}"
    ]
    assert list(differences.of_metrics({"rmse": math.nan}, {"rmse": math.nan})) == []
    assert list(differences.of_metrics({}, {"rmse": 0.5})) == ["metrics: rmse absent, now 0.5"]


def test_predictions_are_compared_row_by_row() -> None:
    assert list(differences.of_answers(answers([1, 2, 3]), answers([1, 2, 3]))) == []
    assert list(differences.of_answers(answers([1, 2, 3]), answers([1, 2.25, 3]))) == [
        "predictions: 1 of 3 test rows by 0.25 at most"
    ]
    (rows,) = differences.of_answers(answers([1, 2]), answers([1, 2], [7, 8]))
    assert rows == "test rows: were 2, are 2, and not the same"


def test_scores_that_moved_are_told_where_the_labels_stayed() -> None:
    truth, classes = np.array(["a", "b"]), np.array(["a", "b"])
    rows = np.arange(2, dtype=np.uint64)
    before = Answers(rows, Judged(truth, truth, classes, np.array([[0.9, 0.1], [0.2, 0.8]])))
    now = Answers(rows, Judged(truth, truth, classes, np.array([[0.9, 0.1], [0.25, 0.75]])))
    assert list(differences.of_answers(before, now)) == ["scores: by 0.05 at most"]


def test_another_image_or_model_is_named() -> None:
    assert list(differences.of_image("a", "b")) == ["image: was a, is b"]
    assert list(differences.of_model("sha256:1", "sha256:2")) == ["model: was sha256:1, is sha256:2"]
    assert list(differences.of_model("sha256:1", "sha256:1")) == []
