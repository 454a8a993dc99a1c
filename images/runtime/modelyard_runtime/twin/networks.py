"""Perceptrons of several layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.linear import logistic, softmax, two_columns
from modelyard_runtime.twin.node import Answer, BuildFinal, CompileStep, Final, Node, require
from modelyard_runtime.twin.rows import Rows, times

NETWORK = "network"
_MAX_LAYERS = 1000
_TWO = 2


def compile_network(model: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted MLPClassifier or MLPRegressor."""
    name = type(model).__name__
    labels = hasattr(model, "classes_")
    several = model.out_activation_ == "softmax"
    require(several or model.n_outputs_ == 1, f"{name} has several targets")
    known = {"identity", "logistic", "softmax"} if labels else {"identity"}
    require(model.out_activation_ in known, f"{name} ends in {model.out_activation_}")
    arrays: dict[str, np.ndarray] = {}
    for at, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        arrays[f"weights{at}"] = np.asarray(weights, dtype=np.float64)
        arrays[f"bias{at}"] = np.asarray(bias, dtype=np.float64)
    settings = {"layers": len(model.coefs_), "activation": model.activation, "labels": labels}
    return Node(NETWORK, settings=settings, arrays=arrays)


def build_network(node: Node, _: BuildFinal) -> Final:
    """Kernel of a perceptron."""
    layers = []
    width: int | None = None
    for at in range(node.count("layers", _MAX_LAYERS)):
        weights = node.numbers(f"weights{at}", np.float64, width, None)
        width = weights.shape[1]
        layers.append((weights, node.numbers(f"bias{at}", np.float64, width)))
    labels = node.flag("labels")
    if not layers or not width or (width > 1 and not labels):
        raise node.broken("layers")
    return _Network(tuple(layers), _ACTIVATIONS[node.choice("activation", *_ACTIVATIONS)], labels)


def _relu(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(values, 0))


_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda values: values,
    "logistic": logistic,
    "relu": _relu,
    "tanh": np.tanh,
}


@dataclass(frozen=True)
class _Network:
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    activation: Callable[[np.ndarray], np.ndarray]
    labels: bool

    @property
    def gives_probabilities(self) -> bool:
        return self.labels

    @property
    def classes(self) -> int | None:
        return max(_TWO, len(self.layers[-1][1])) if self.labels else None

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        first = self.layers[0][0]
        if len(rows.shape) != _TWO or rows.shape[1] != len(first):
            raise ValueError(f"X has not the {len(first)} columns that the model was fitted with.")
        held = times(rows, first) + self.layers[0][1]
        for weights, bias in self.layers[1:]:
            held = self.activation(held) @ weights + bias
        if not self.labels:
            return Answer(held[:, 0])
        if held.shape[1] > 1:
            shares = softmax(held)
            return Answer(shares.argmax(axis=1), shares if probabilities else None)
        sure = logistic(held[:, 0])
        return Answer((sure > 0.5).astype(np.int64), two_columns(sure) if probabilities else None)  # noqa: PLR2004
