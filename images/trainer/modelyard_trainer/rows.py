"""Rows that a pipeline is fitted on: the samplers and weights that stand between them and the estimator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.v1alpha1.pipeline import Pipeline
from modelyard_trainer.pipeline import Build, build_sampler


@dataclass(frozen=True)
class Rows:
    """Features, target and weights, one a row."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None
    """None where all count the same."""

    def take(self, positions: np.ndarray) -> Rows:
        """Those at these positions."""
        weights = None if self.weights is None else self.weights[positions]
        return Rows(self.X[positions], self.y[positions], weights)


@dataclass(frozen=True)
class Prepared:
    """What an estimator is fitted on."""

    X: Any
    """An array or a sparse matrix."""
    y: np.ndarray
    options: dict[str, Any] = field(default_factory=dict)
    """More arguments of ``fit``."""


def fit_rows(model: FittablePipeline, rows: Rows, pipeline: Pipeline, threads: int) -> None:
    """Fits in place."""
    prepared = prepare_rows(model, rows, pipeline, threads)
    model[-1].fit(prepared.X, prepared.y, **prepared.options)


def prepare_rows(model: FittablePipeline, rows: Rows, pipeline: Pipeline, threads: int) -> Prepared:
    """Fits all steps but the last, and evens out classes where that was asked for.

    Transformers see every row, the estimator those that the sampler makes of them; no sampler is kept.
    """
    inputs = model[:-1].fit_transform(rows.X, rows.y) if len(model) > 1 else rows.X
    if pipeline.resample is None:
        return Prepared(inputs, rows.y, {} if rows.weights is None else {"sample_weight": rows.weights})
    labels, numbered = np.unique(rows.y, return_inverse=True)
    sampler = build_sampler(pipeline.resample, Build(threads, labels.tolist()))
    inputs, numbered = sampler.fit_resample(inputs, numbered)
    return Prepared(inputs, labels[numbered])
