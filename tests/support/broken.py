"""Candidates that are broken, each in its own way, for a champion that is a small regression on a, b and c."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline

from modelyard_api.contract.bundle import REFERENCE_FILE, Bundle
from modelyard_api.contract.reference import OUTPUT, Reference
from modelyard_api.v1alpha1.reasons import PromotionReason
from modelyard_trainer.reference import number_histogram
from tests.support.bundles import BuiltBundle, FittedModel, build_bundle, build_compiled, forest, make_bundle
from tests.support.hostile import corpus

ROW = {"a": 1.0, "b": 2.0, "c": 3.0}
_SMALL = 0.01
_NEIGHBOURS = 400_000


@dataclass(frozen=True)
class Broken:
    """A candidate, and what a person is told of it."""

    build: Callable[[], BuiltBundle]
    reason: PromotionReason
    told: str
    """Words of the condition's message."""
    shown: str
    """Start of a series of the server that says so too."""


def sound() -> BuiltBundle:
    """The champion."""
    return build_bundle(forest(trees=2))


def another(run_id: str) -> BuiltBundle:
    """Nothing is wrong with it; it is for what happens while it is loaded."""
    return build_bundle(forest(trees=2), run_id=run_id)


def without_number(build: Callable[[FittedModel], BuiltBundle] = build_compiled) -> BuiltBundle:
    """Its golden answers are numbers; with larger values, infinity less infinity comes out."""
    model = LinearRegression().fit(np.eye(3), np.zeros(3))
    model.coef_ = np.array([1e308, 1e308, -1e308])
    rows = [dict.fromkeys("abc", _SMALL * n) for n in range(3)]
    return build(replace(forest(trees=2), model=_alone(model), rows=rows))


def _other_columns() -> BuiltBundle:
    fitted = forest(trees=2)
    columns = [*fitted.inputs[:2], fitted.inputs[2].model_copy(update={"name": "d"})]
    rows = [{"d" if name == "c" else name: value for name, value in row.items()} for row in fitted.rows]
    return build_bundle(replace(fitted, inputs=columns, rows=rows))


def _slow() -> BuiltBundle:
    """It goes through all that it has seen, for every row."""
    data = np.random.default_rng(0).normal(size=(_NEIGHBOURS, 3))
    model = KNeighborsRegressor(1, algorithm="brute", metric="minkowski", p=3).fit(data, data[:, 0])
    return build_bundle(replace(forest(trees=2), model=_alone(model)))


def _hostile() -> BuiltBundle:
    fitted = forest(trees=2)
    with tempfile.TemporaryDirectory() as directory:
        content = corpus()["a pickle"].forge(Path(directory) / "canary")
    return build_bundle(fitted, model=content)


def _crashing() -> BuiltBundle:
    """Its file holds a model of four columns."""
    model = _alone(LinearRegression().fit(np.eye(4), np.zeros(4)))
    return build_bundle(forest(trees=2), model=skops.io.dumps(model))


def of_other_rows() -> BuiltBundle:
    """Nothing is wrong with it, but it was trained on rows that are nothing like ``ROW``."""
    far = np.random.default_rng(0).normal(1000.0, size=2000)
    reference = Reference(
        features=[number_histogram(name, far) for name in "abc"], output=number_histogram(OUTPUT, far)
    )
    fitted = forest(trees=3)
    built = build_compiled(fitted)
    files = {**built.files, REFERENCE_FILE: reference.model_dump_json(by_alias=True).encode()}
    return make_bundle(fitted, files, certificate=Bundle.model_validate(built.document).certificate)


def _alone(model: object) -> Pipeline:
    return Pipeline([("estimator", model)])


BROKEN: Mapping[str, Broken] = {
    "answers with NaN": Broken(
        partial(without_number, build_bundle),
        PromotionReason.TOO_MANY_ERRORS,
        "failed to answer",
        "modelyard_server_candidate_failures_total{",
    ),
    "has other columns": Broken(
        _other_columns,
        PromotionReason.TOO_MANY_ERRORS,
        "failed to answer",
        "modelyard_server_candidate_failures_total{",
    ),
    "is ten times slower": Broken(
        _slow,
        PromotionReason.TOO_SLOW,
        "took longer than 0.01 s",
        "modelyard_prediction_latency_seconds_count{",
    ),
    "is a hostile file": Broken(
        _hostile,
        PromotionReason.MODEL_UNUSABLE,
        "not a skops file",
        'modelyard_server_swaps_total{result="refused"} ',
    ),
    "crashes when it is loaded": Broken(
        _crashing,
        PromotionReason.MODEL_UNUSABLE,
        "the model does not answer its own example: ValueError",
        'modelyard_server_swaps_total{result="refused"} ',
    ),
}
