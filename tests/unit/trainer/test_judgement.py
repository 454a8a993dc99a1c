"""Metrics against values worked out by hand and against scikit-learn's own."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sk

from modelyard_api.metrics import METRICS, Direction, Needs, Task, class_slugs, find_metric
from modelyard_api.v1alpha1.training_job import Evaluation
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.measures.measure import Measured
from modelyard_trainer.evaluation.metrics import MEASURES, evaluate, values_of, wanted_metrics

EVERYTHING = frozenset(Needs)
NUMBERS = Judged(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]))
LABELS = Judged(
    np.array(["a", "a", "b", "c"]),
    np.array(["a", "b", "b", "b"]),
    np.array(["a", "b"]),
    np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5], [0.3, 0.7]]),
)


def measure(judged: Judged, name: str, classes: tuple[str, ...] = ()) -> Measured:
    metric = find_metric(name)
    assert metric is not None
    asked = Evaluation(metrics=[name])
    return evaluate(judged, wanted_metrics(asked, metric.task, EVERYTHING, classes), asked, metric.task)[name]


def three_classes(rows: int = 300) -> Judged:
    rng = np.random.default_rng(3)
    classes = np.array(["ant", "bee", "cat"])
    truth = rng.choice(classes, rows, p=[0.6, 0.3, 0.1])
    scores = rng.random((rows, 3)).round(2) + 0.6 * (truth[:, None] == classes)
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    return Judged(truth, classes[probabilities.argmax(axis=1)], classes, probabilities)


def two_classes(rows: int = 300) -> Judged:
    rng = np.random.default_rng(4)
    truth = rng.random(rows) < 0.3
    positive = np.clip(rng.random(rows).round(1) * 0.7 + 0.3 * truth, 0, 1)
    probabilities = np.column_stack([1 - positive, positive])
    return Judged(truth, positive > 0.5, np.array([False, True]), probabilities)


@pytest.mark.parametrize(
    ("name", "judged", "value"),
    [
        ("rmse", NUMBERS, math.sqrt(5 / 3)),
        ("mae", NUMBERS, 1.0),
        ("r2", NUMBERS, 1 - 5 / (14 / 3)),
        ("mape", NUMBERS, (0 + 0.5 + 0.5) / 3),
        ("median_error", NUMBERS, 1.0),
        ("median_error", Judged(np.zeros(4), np.array([1.0, 2.0, 4.0, 9.0])), 3.0),
        ("max_error", NUMBERS, 2.0),
        ("accuracy", LABELS, 0.5),
        ("f1_macro", LABELS, (2 / 3 + 0.5 + 0) / 3),
        ("f1_weighted", LABELS, (2 * 2 / 3 + 0.5 + 0) / 4),
        ("precision_macro", LABELS, (1 + 1 / 3 + 0) / 3),
        ("recall_macro", LABELS, (0.5 + 1 + 0) / 3),
        (
            "log_loss",
            LABELS,
            -(math.log(0.8) + math.log(0.4) + math.log(0.5) + math.log(np.finfo(float).eps)) / 4,
        ),
    ],
)
def test_a_metric_has_the_value_of_its_definition(name: str, judged: Judged, value: float) -> None:
    assert measure(judged, name).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        *(
            (f"{family}_{mean}", lambda own, f=function, m=mean: f(own.truth, own.predicted, average=m))
            for family, function in (
                ("f1", sk.f1_score),
                ("precision", sk.precision_score),
                ("recall", sk.recall_score),
            )
            for mean in ("macro", "micro", "weighted")
        ),
        ("mcc", lambda own: sk.matthews_corrcoef(own.truth, own.predicted)),
        ("roc_auc", lambda own: sk.roc_auc_score(own.truth, own.probabilities, multi_class="ovr")),
        (
            "pr_auc",
            lambda own: sk.average_precision_score(own.truth[:, None] == own.classes, own.probabilities),
        ),
        ("log_loss", lambda own: sk.log_loss(own.truth, own.probabilities)),
        ("brier", lambda own: sk.brier_score_loss(own.truth, own.probabilities)),
    ],
)
def test_metrics_of_three_classes_are_those_of_scikit_learn(
    name: str, theirs: Callable[[Judged], float]
) -> None:
    judged = three_classes()
    assert measure(judged, name).value == pytest.approx(theirs(judged))


def test_metrics_of_two_classes_are_those_of_scikit_learn_for_the_second() -> None:
    judged = two_classes()
    assert judged.probabilities is not None
    positive = judged.probabilities[:, 1]
    assert measure(judged, "roc_auc").value == pytest.approx(sk.roc_auc_score(judged.truth, positive))
    assert measure(judged, "pr_auc").value == pytest.approx(
        sk.average_precision_score(judged.truth, positive)
    )
    assert measure(judged, "brier").value == pytest.approx(sk.brier_score_loss(judged.truth, positive))


def test_every_metric_of_the_contract_has_its_arithmetic_and_the_other_way_round() -> None:
    assert MEASURES.keys() == METRICS.keys()
    for task, judged in ((Task.REGRESSION, NUMBERS), (Task.CLASSIFICATION, three_classes())):
        found = evaluate(judged, wanted_metrics(Evaluation(), task, EVERYTHING), Evaluation(), task)
        assert values_of(found).keys() == {name for name, metric in METRICS.items() if metric.task is task}


def test_what_an_estimator_does_not_give_is_left_out_unless_it_was_asked_for() -> None:
    labels_only = frozenset({Needs.PREDICTIONS})
    left = wanted_metrics(Evaluation(), Task.CLASSIFICATION, labels_only)
    assert not {"log_loss", "brier", "roc_auc", "pr_auc"} & left.keys()
    ranked = wanted_metrics(Evaluation(), Task.CLASSIFICATION, labels_only | {Needs.SCORES})
    assert ranked.keys() - left.keys() == {"roc_auc", "pr_auc"}
    for asked in (Evaluation(primary="log_loss"), Evaluation(metrics=["log_loss"])):
        with pytest.raises(InvalidSpecError, match="needs probabilities"):
            wanted_metrics(asked, Task.CLASSIFICATION, labels_only)


ONE_CLASS = Judged(np.array(["a", "a"]), np.array(["a", "b"]), np.array(["a", "b"]), np.full((2, 2), 0.5))


@pytest.mark.parametrize(
    ("name", "judged", "reason"),
    [
        ("r2", Judged(np.array([1.0]), np.array([2.0])), "there is one row only"),
        ("r2", Judged(np.full(9, 0.1), np.arange(9.0)), "the target is the same in all rows"),
        ("mape", Judged(np.array([0.0, 1.0]), np.array([1.0, 1.0])), "the target is 0 in 1 rows"),
        ("roc_auc", ONE_CLASS, "all rows are of one class, a"),
        ("pr_auc", ONE_CLASS, "all rows are of one class, a"),
        (
            "pr_auc",
            Judged(np.array(["b", "b"]), np.array(["a", "b"]), ONE_CLASS.classes, np.full((2, 2), 0.5)),
            "all rows are of one class, b",
        ),
        ("mcc", ONE_CLASS, "all rows are of one class, a"),
        ("mcc", Judged(np.array(["a", "b"]), np.array(["b", "b"])), "all predictions are b"),
        ("recall_class_b", ONE_CLASS, "b is in no row"),
        ("precision_class_a", Judged(np.array(["a", "b"]), np.array(["b", "b"])), "a is never predicted"),
        ("rmse", Judged(np.array([1.0]), np.array([math.inf])), "it is infinite"),
    ],
)
def test_what_is_not_defined_has_a_reason_and_no_value(name: str, judged: Judged, reason: str) -> None:
    metric = find_metric(name)
    assert metric is not None
    wanted = wanted_metrics(Evaluation(metrics=[name]), metric.task, EVERYTHING, ("a", "b"))
    (found,) = evaluate(judged, wanted, Evaluation(metrics=[name], primary="f1_macro"), metric.task).values()
    assert found.value is None
    assert reason in found.note


def test_a_mean_over_classes_says_which_of_them_counts_as_0_and_which_is_left_out() -> None:
    assert measure(LABELS, "precision_macro").note == "never predicted, counted as 0: c"
    assert measure(LABELS, "log_loss").note == "not in training, so of probability 0: c"
    without = Judged(LABELS.truth, LABELS.predicted, np.array(["a", "b", "z"]), np.full((4, 3), 1 / 3))
    assert measure(without, "roc_auc").note == "without z, which no row has"


def test_a_primary_metric_without_a_value_is_an_error_and_another_is_left_out() -> None:
    one_row = Judged(np.array([1.0]), np.array([2.0]))
    both = Evaluation(metrics=["rmse", "r2"])
    wanted = wanted_metrics(both, Task.REGRESSION, EVERYTHING)
    assert values_of(evaluate(one_row, wanted, both, Task.REGRESSION)) == {"rmse": 1.0}
    with pytest.raises(DataError, match=r"metric r2: is not defined .* one row"):
        evaluate(one_row, wanted, Evaluation(primary="r2"), Task.REGRESSION)


def test_a_class_has_metrics_of_its_own_by_a_name_that_gates_can_use() -> None:
    wanted = Evaluation(primary="f1_class_a", metrics=["accuracy", "f1_class_a"])
    names = wanted_metrics(wanted, Task.CLASSIFICATION, EVERYTHING, ("a", "b"))
    found = values_of(evaluate(LABELS, names, wanted, Task.CLASSIFICATION))
    assert found == {"accuracy": 0.5, "f1_class_a": pytest.approx(2 / 3)}
    metric = find_metric("f1_class_a")
    assert metric is not None
    assert metric.direction is Direction.MAXIMIZE
    with pytest.raises(InvalidSpecError, match="names a class that the training part does not have"):
        wanted_metrics(Evaluation(metrics=["f1_class_z"]), Task.CLASSIFICATION, EVERYTHING, ("a", "b"))


def test_labels_become_words_that_differ_and_fit() -> None:
    assert class_slugs(["Mobile Phones", "tv", 3, -3, True]) == [
        "mobile_phones",
        "tv",
        "3",
        "minus_3",
        "true",
    ]
    alike = class_slugs(["tv", "TV", "T V", "", "音楽", "x" * 90])
    assert alike[0] == "tv"
    assert len(set(alike)) == 6
    for slug in alike:
        metric = find_metric(f"precision_class_{slug}")
        assert metric is not None
        assert len(metric.name) <= 63
