"""A verified bundle becomes a model that knows what it takes and how long it needs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from modelyard_api.contract.bundle import GOLDEN_FILE, REFERENCE_FILE, Bundle, GoldenRequest
from modelyard_api.contract.reference import OUTPUT, Histogram, Measure, Reference
from modelyard_api.digests import canonical_json
from modelyard_server.errors import BundleError
from modelyard_server.models.fetching import FetchedBundle
from modelyard_server.models.loading import LoadedModel, load_model
from modelyard_server.models.scikit import SklearnPredictor
from tests.support.bundles import FittedModel, build_bundle, forest, iris, make_bundle, matrix_of, titles

MODELS: dict[str, Callable[[], FittedModel]] = {
    "flowers": iris,
    "titles": titles,
    "forest": partial(forest, trees=5),
}


def load(fitted: FittedModel, **changes: Any) -> LoadedModel:  # noqa: ANN401  fields of the golden request
    built = build_bundle(fitted)
    golden = GoldenRequest.model_validate_json(built.files[GOLDEN_FILE]).model_copy(update=changes)
    bundle = Bundle.model_validate(built.document)
    return load_model(FetchedBundle(bundle, golden, built.files.__getitem__), built.digest)


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_answers_bit_for_bit_as_the_fitted_one(name: str) -> None:
    fitted = MODELS[name]()
    model = load(fitted)
    matrix = model.reader.matrix(model.reader.from_records(fitted.rows))
    expected = matrix_of(fitted.inputs, fitted.rows)
    answer = model.predictor.predict(matrix, probabilities=True)
    assert answer.predictions.tolist() == fitted.model.predict(expected).tolist()
    if answer.probabilities is not None:
        assert np.array_equal(answer.probabilities, fitted.model.predict_proba(expected))
    assert model.row_seconds > 0


def test_a_column_without_which_the_model_does_not_answer_is_demanded() -> None:
    fitted = titles()
    loose = [column.model_copy(update={"nullable": True}) for column in fitted.inputs]
    model = load(FittedModel(fitted.model, fitted.task, fitted.target, loose, fitted.rows, fitted.classes))
    nullable = {column.name for column in model.signature.columns if column.nullable}
    # The numeric branch imputes; a text that is not there cannot be read.
    assert nullable == {"pages", "price", "stocked"}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"predictions": ["setosa"]}, "golden answers are promised"),
        ({"predictions": ["virginica"] * 4}, "golden request 0"),
        ({"probabilities": [[0.5, 0.25, 0.25]] * 4}, "probabilities"),
        ({"rows": [{"a": 1}] * 4}, "does not fit"),
    ],
)
def test_golden_requests_that_are_answered_otherwise_are_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(BundleError, match=word):
        load(iris(), **changes)


def test_a_model_that_was_fitted_on_other_columns_is_refused() -> None:
    fitted = iris()
    narrow = FittedModel(
        fitted.model, fitted.task, fitted.target, fitted.inputs[:3], fitted.rows, fitted.classes
    )
    built = build_bundle(fitted)
    document = {
        **built.document,
        "inputs": [column.to_wire() for column in narrow.inputs],
        "inputExample": [],
    }
    bundle = Bundle.model_validate(document)
    with pytest.raises(BundleError, match="does not answer its own example"):
        load_model(FetchedBundle(bundle, None, built.files.__getitem__), built.digest)


def test_serving_uses_one_thread_whatever_training_used() -> None:
    fitted = forest(trees=3)
    fitted.model.set_params(estimator__n_jobs=4)
    SklearnPredictor(fitted.model)
    assert fitted.model.get_params()["estimator__n_jobs"] == 1


def with_reference(content: bytes) -> LoadedModel:
    """The forest's bundle with this reference."""
    fitted = forest(trees=2)
    built = make_bundle(fitted, {**build_bundle(fitted).files, REFERENCE_FILE: content})
    bundle = Bundle.model_validate(built.document)
    return load_model(FetchedBundle(bundle, None, built.files.__getitem__), built.digest)


def reference(*names: str) -> Reference:
    """Of features of these names."""
    features = [Histogram(name=name, measure=Measure.VALUE, edges=[0.0], counts=[1, 1, 0]) for name in names]
    return Reference(features=features, output=features[0].model_copy(update={"name": OUTPUT}))


def test_a_model_knows_the_reference_of_its_bundle_where_there_is_one() -> None:
    told = reference("a", "b", "c")
    assert with_reference(canonical_json(told.to_wire())).reference == told
    assert load(forest(trees=2)).reference is None


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (canonical_json(reference("a", "c", "b").to_wire()), "not of the bundle's inputs"),
        (b"{}", "cannot be read"),
        (b"nothing", "cannot be read"),
    ],
)
def test_a_reference_that_does_not_fit_its_bundle_refuses_it(content: bytes, word: str) -> None:
    with pytest.raises(BundleError, match=word):
        with_reference(content)
