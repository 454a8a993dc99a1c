"""Early stopping: how many trees a booster is worth, told by rows of the training part that it was not fitted on.

The number is found on a copy; the model itself is then fitted on every training row with that many. So the stored model
is a plain one, and no row is lost to it.
"""

from __future__ import annotations

import importlib
import logging

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.v1alpha1.pipeline import EarlyStopping, Pipeline
from modelyard_trainer.rows import Prepared, Rows, prepare_rows

_SEED = 0
_log = logging.getLogger(__name__)


def find_trees(model: FittablePipeline, rows: Rows, pipeline: Pipeline, threads: int) -> int:
    """Sets ``n_estimators`` of the model's booster, and returns it."""
    asked = pipeline.early_stopping
    booster = _booster(model[-1])
    if asked is None:
        raise ValueError("early stopping was not asked for")
    fitted, judged = _parts(rows, asked, classes=is_classifier(booster))
    trial = clone(model)
    prepared = prepare_rows(trial, rows.take(fitted), pipeline, threads)
    held = rows.take(judged)
    inputs = trial[:-1].transform(held.X) if len(trial) > 1 else held.X
    count = _count(_booster(trial[-1]), prepared, Rows(inputs, held.y, held.weights), asked.rounds)
    booster.set_params(n_estimators=count)
    _log.info("early stopping: %d trees, judged by %d rows", count, len(judged))
    return count


def _booster(estimator: BaseEstimator) -> BaseEstimator:
    """The booster, which for XGBoost's classifiers stands in a vote of one."""
    return estimator.estimators[0][1] if isinstance(estimator, VotingClassifier) else estimator


def _parts(rows: Rows, asked: EarlyStopping, *, classes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Positions to fit and to judge by, in the order of the rows. A row of each class is always fitted."""
    order = np.random.default_rng(_SEED).permutation(len(rows.y))
    first = np.unique(rows.y[order], return_index=True)[1] if classes else np.array([0])
    free = np.delete(order, first)
    judged = free[: max(1, len(rows.y) * asked.validation_percent // 100)]
    return np.setdiff1d(order, judged), np.sort(judged)


def _count(booster: BaseEstimator, prepared: Prepared, held: Rows, rounds: int) -> int:
    """Trees up to the last that helped. Classes are numbered here: neither library takes labels to judge by."""
    fitted, judged = prepared.y, held.y
    if is_classifier(booster):
        labels = np.unique(fitted)
        fitted, judged = np.searchsorted(labels, fitted), np.searchsorted(labels, judged)
        weighed = booster.get_params().get("class_weight")
        if isinstance(weighed, dict):
            position = {label: number for number, label in enumerate(labels.tolist())}
            booster.set_params(class_weight={position[label]: weight for label, weight in weighed.items()})
    rest = dict(prepared.options)
    if type(booster).__module__.startswith("lightgbm."):
        stop = importlib.import_module("lightgbm").early_stopping(rounds, verbose=False)
        if held.weights is not None:
            rest["eval_sample_weight"] = [held.weights]
        booster.fit(prepared.X, fitted, eval_X=(held.X,), eval_y=(judged,), callbacks=[stop], **rest)
        return max(1, int(booster.best_iteration_))
    if held.weights is not None:
        rest["sample_weight_eval_set"] = [held.weights]
    booster.set_params(early_stopping_rounds=rounds)
    booster.fit(prepared.X, fitted, eval_set=[(held.X, judged)], verbose=False, **rest)
    return int(booster.best_iteration) + 1
