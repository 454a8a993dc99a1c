"""Reference histograms: what a server will compare its traffic with."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from modelyard_api.contract.bundle import REFERENCE_FILE
from modelyard_api.contract.reference import OUTPUT, Histogram, Measure, Reference
from modelyard_api.metrics import Task
from modelyard_trainer.reference import label_histogram, number_histogram, text_histogram
from tests.support.fitting import fit_in_memory, version_of
from tests.unit.trainer.test_fitting import CLASSES, offers, regression
from tests.unit.trainer.test_storing import packed


def test_numbers_are_cut_into_tenths() -> None:
    found = number_histogram("a", np.arange(1.0, 1001.0))
    assert found.edges == [100.0 * place for place in range(1, 10)]
    assert found.counts == [100] * 10 + [0]


def test_missing_numbers_have_a_count_of_their_own() -> None:
    found = number_histogram("a", np.array([1.0, np.nan, 2.0, np.nan, np.nan]))
    assert (found.edges, found.counts) == ([1.0], [1, 1, 3])


@pytest.mark.parametrize("zeros", [0.95, 0.5, 0.05])
def test_few_values_have_a_bin_each_however_rare_they_are(zeros: float) -> None:
    values = np.where(np.arange(1000) < 1000 * zeros, 0.0, 1.0)
    found = number_histogram("flag", values)
    assert (found.edges, found.counts) == ([0.0], [round(1000 * zeros), round(1000 * (1 - zeros)), 0])


@pytest.mark.parametrize("often", [-1.0, 0.5, 2.0], ids=["least", "middle", "greatest"])
def test_a_value_that_many_rows_share_has_a_bin_of_its_own(often: float) -> None:
    others = np.linspace(0.0, 1.0, 500)
    found = number_histogram("a", np.concatenate([np.full(700, often), others]))
    assert found.counts[np.searchsorted(found.edges, often)] == 700
    assert found.rows == 1200


def test_texts_that_come_back_are_categories_and_others_have_lengths() -> None:
    again = text_histogram("kind", ["flat", "house", "flat"] * 10 + [float("nan")])
    assert (again.measure, again.categories, again.counts) == (
        Measure.CATEGORY,
        ["flat", "house"],
        [20, 10, 0, 1],
    )
    once = text_histogram("title", ["a" * (1 + place % 7) + str(place) for place in range(100)])
    assert (once.measure, once.rows) == (Measure.LENGTH, 100)


def test_categories_beyond_the_most_frequent_are_counted_together() -> None:
    found = text_histogram("kind", [f"k{place % 50}" for place in range(1000)])
    assert len(found.categories) == 30
    assert found.counts[-2:] == [400, 0]


def test_a_label_that_is_never_answered_has_a_bin() -> None:
    assert label_histogram(["a", "a"], ["a", "b"]).counts == [2, 0, 0, 0]


def test_a_bundle_holds_the_reference_of_training_rows_and_held_out_answers() -> None:
    fitted = fit_in_memory(regression("RandomForestRegressor"), version_of(offers()))
    held = Reference.model_validate(json.loads(packed(fitted).files[REFERENCE_FILE]))
    assert [feature.name for feature in held.features] == [column.name for column in fitted.plan.inputs]
    assert {feature.rows for feature in held.features} == {len(fitted.data.train.y)}
    assert (held.output.name, held.output.rows) == (OUTPUT, len(fitted.data.test.y))


def test_answers_of_a_classifier_are_counted_by_label() -> None:
    made = packed(fit_in_memory(CLASSES, version_of(offers())), Task.CLASSIFICATION)
    held = Reference.model_validate(json.loads(made.files[REFERENCE_FILE]))
    assert held.output.categories == ["flat", "house"]


@pytest.mark.parametrize(
    "wrong",
    [{"edges": [1.0], "counts": [1, 1]}, {"edges": [2.0, 1.0], "counts": [1, 1, 1, 0]}, {"counts": [-1, 0]}],
)
def test_a_histogram_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"counts|ascend"):
        Histogram.model_validate({"name": "a", "measure": "Value", **wrong})
