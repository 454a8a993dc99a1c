"""Naive Bayes. What counts is linear in the rows; normal densities are squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.linear import linear_classes, softmax
from modelyard_runtime.twin.node import Answer, BuildFinal, CompileStep, Final, Node, require
from modelyard_runtime.twin.rows import Rows, floats

NORMAL = "normal"
_TWO = 2


def compile_counted(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted MultinomialNB or ComplementNB."""
    classes = len(model.classes_)
    require(classes > 1, f"{type(model).__name__} knows a single class")
    multinomial = type(model).__name__ == "MultinomialNB"
    prior = np.asarray(model.class_log_prior_) if multinomial else np.zeros(classes)
    return linear_classes(np.asarray(model.feature_log_prob_).T, prior)


def compile_normal(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted GaussianNB."""
    variance = np.asarray(model.var_, dtype=np.float64)
    constants = np.log(model.class_prior_) - 0.5 * np.sum(np.log(2.0 * np.pi * variance), axis=1)
    means = np.asarray(model.theta_, dtype=np.float64)
    return Node(NORMAL, arrays={"means": means, "variances": variance, "constants": constants})


def build_normal(node: Node, _: BuildFinal) -> Final:
    """Kernel of a GaussianNB."""
    means = node.numbers("means", np.float64, None, None)
    variances = node.numbers("variances", np.float64, *means.shape)
    constants = node.numbers("constants", np.float64, len(means))
    if len(means) < _TWO:
        raise node.broken("means")
    return _Normal(means, variances, constants)


@dataclass(frozen=True)
class _Normal:
    means: np.ndarray
    variances: np.ndarray
    constants: np.ndarray

    gives_probabilities = True

    @property
    def classes(self) -> int:
        return len(self.means)

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        if len(rows.shape) != _TWO or rows.shape[1] != self.means.shape[1]:
            raise ValueError(f"X has not the {self.means.shape[1]} columns that the model was fitted with.")
        held = floats(rows)
        squares = [
            np.sum((held - mean) ** 2 / variance, axis=1)
            for mean, variance in zip(self.means, self.variances, strict=True)
        ]
        scores = self.constants - 0.5 * np.stack(squares, axis=1)
        return Answer(scores.argmax(axis=1), softmax(scores) if probabilities else None)
