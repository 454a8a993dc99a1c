"""Plots for people: the right ones, the same bytes each time, labels that keep clear of one another."""

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from PIL import Image

from modelyard_api.metrics import Task
from modelyard_trainer.evaluation.assess import Assessment
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.plots import PLOTS, draw_all
from modelyard_trainer.evaluation.plots.confusion import confusion
from modelyard_trainer.evaluation.plots.style import drawing, short
from modelyard_trainer.evaluation.plots.subject import Plot, Subject
from tests.support.evaluating import assessed

RNG = np.random.default_rng(8)
ROWS = 240
X = RNG.normal(size=ROWS)
TABLE = pa.table(
    {
        "row": pa.array(range(ROWS)),
        "x": pa.array(X),
        "a_column_with_a_name_as_long_as_the_interface_allows_for_columns": pa.array(RNG.normal(size=ROWS)),
        "price": pa.array(1e6 + 2e4 * X + 1e4 * RNG.normal(size=ROWS)),
        "label": pa.array(np.where(X + 0.5 * RNG.normal(size=ROWS) > 0.3, "high", "low")),
        "title": pa.array(np.where(X > 0.3, "a blue phone", "a red kettle")),
    }
)
LINE = {
    "task": "Regression",
    "target": "price",
    "features": {"exclude": ["label", "title"]},
    "pipeline": {"estimator": {"class": "LinearRegression"}},
    "evaluation": {"crossValidation": {"folds": 3}},
}
TITLES = {
    "task": "Classification",
    "target": "label",
    "pipeline": {
        "preprocess": [
            {"name": "words", "columns": {"names": ["title"]}, "steps": [{"class": "CountVectorizer"}]}
        ],
        "estimator": {"class": "LogisticRegression"},
    },
}


def subject_of(task: Task, assessment: Assessment) -> Subject:
    return Subject(
        task, "price", assessment.judged, assessment.metrics, assessment.importance, assessment.learning
    )


def many_classes(count: int = 40, rows: int = 900) -> Subject:
    rng = np.random.default_rng(2)
    classes = np.array(
        [f"Category {number:02d} with a rather long name of its own" for number in range(count)]
    )
    truth = rng.choice(classes, rows)
    scores = rng.random((rows, count)) + 0.8 * (truth[:, None] == classes)
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    return Subject(
        Task.CLASSIFICATION,
        "category",
        Judged(truth, classes[scores.argmax(axis=1)], classes, probabilities),
        {},
    )


def drawn(subject: Subject) -> Iterator[tuple[Plot, Figure]]:
    for plot in PLOTS:
        if plot.applies(subject):
            with drawing():
                figure = plot.draw(subject)
                figure.draw_without_rendering()
                yield plot, figure


def test_a_regression_has_its_plots_and_they_are_the_same_bytes_each_time() -> None:
    subject = subject_of(Task.REGRESSION, assessed(LINE, TABLE))
    first, again = draw_all(subject), draw_all(subject)
    assert [plot.name for plot in first] == [
        "actual-vs-predicted",
        "residuals",
        "feature-importance",
        "learning-curve",
    ]
    assert first == again
    for png in first.values():
        with Image.open(io.BytesIO(png)) as image:
            assert round(image.info["dpi"][0]) == 150
            assert "Software" not in image.info
            assert image.width > 600


def test_a_classification_has_its_plots() -> None:
    found = draw_all(subject_of(Task.CLASSIFICATION, assessed(TITLES, TABLE)))
    assert [plot.name for plot in found] == [
        "confusion-matrix",
        "roc",
        "precision-recall",
        "calibration",
        "feature-importance",
    ]


def test_importance_is_by_shuffling_of_columns_and_by_the_model_for_words() -> None:
    shuffled = assessed(LINE, TABLE).importance
    assert shuffled is not None
    assert shuffled.method == "shuffling, test rows"
    values = dict(zip(shuffled.names, shuffled.values, strict=True))
    assert values["x"] > 100 * abs(min(values.values(), key=abs))
    words = assessed(TITLES, TABLE).importance
    assert words is not None
    assert words.method == "the model's coefficients"
    assert words.unit == "coefficient, above 0 for low"
    assert set(words.names) == {"words__blue", "words__kettle", "words__phone", "words__red"}


def test_plots_none_draws_and_fits_nothing_more() -> None:
    spec = {**LINE, "evaluation": {"crossValidation": {"folds": 3}, "plots": "None"}}
    found = assessed(spec, TABLE)
    assert found.importance is None
    assert found.learning is None


@pytest.mark.parametrize(
    "subject",
    [
        many_classes(),
        many_classes(12),
        many_classes(2),
        subject_of(Task.REGRESSION, assessed(LINE, TABLE)),
    ],
    ids=["40 classes", "12 classes", "2 classes", "regression"],
)
def test_nothing_written_leaves_the_picture_and_no_label_covers_another(subject: Subject) -> None:
    for plot, figure in drawn(subject):
        box = figure.bbox
        for axes in figure.axes:
            texts = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.get_yticklabels()]
            for text in (own for own in texts if own.get_text() and own.get_visible()):
                extent = text.get_window_extent()
                if box.y0 <= (extent.y0 + extent.y1) / 2 <= box.y1:
                    inside = extent.x0 >= box.x0 - 1 and extent.x1 <= box.x1 + 1
                    assert inside, (plot.name, text.get_text())
            left, right = axes._left_title, axes._right_title  # type: ignore[attr-defined]
            if left.get_text() and right.get_text():
                assert left.get_window_extent().x1 < right.get_window_extent().x0, plot.name
            boxes = [own.get_window_extent() for own in axes.get_yticklabels() if own.get_text()]
            ordered = sorted(boxes, key=lambda own: own.y0)
            assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(ordered)), plot.name


def test_small_classes_go_together_where_there_are_many() -> None:
    names, counts, said = confusion(many_classes(), 20)
    assert len(names) == 20
    assert names[-1] == "21 other classes"
    assert counts.sum() == 900
    assert said == "900 test rows; the 19 largest of 40 classes"


def test_many_rows_are_sampled_and_the_plot_says_so() -> None:
    values = np.arange(20_000.0)
    subject = Subject(Task.REGRESSION, "y", Judged(values, values + 1), {})
    rows, said = subject.sampled()
    assert len(rows) == 5_000
    assert said == "5,000 of 20,000 test rows"
    assert rows.tolist() == replace(subject).sampled()[0].tolist()


def test_what_can_go_wrong_with_values_is_drawn_all_the_same() -> None:
    same = np.full(30, 2.0)
    assert len(draw_all(Subject(Task.REGRESSION, "y", Judged(same, same), {}))) == 2
    labels = np.array(["音楽", "$x_1$", "a\nb"] * 20)
    judged = Judged(labels, labels, np.unique(labels), np.full((60, 3), 1 / 3))
    assert len(draw_all(Subject(Task.CLASSIFICATION, "y", judged, {}))) == 4
    one = Judged(labels[:1], labels[:1], np.unique(labels), np.full((1, 3), 1 / 3))
    assert len(draw_all(Subject(Task.CLASSIFICATION, "y", one, {}))) == 2


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    assert short("a name that is much longer than a plot has room for") == "a name that is …room for"
    assert short("one\n two") == "one two"
