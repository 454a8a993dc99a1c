"""CalibratedClassifierCV: scores or shares of classifiers, and the curves that make them frequencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.adaptive import WEIGHED_VOTES
from modelyard_runtime.twin.boosting import BOOSTED
from modelyard_runtime.twin.linear import LINEAR_CLASS, logistic
from modelyard_runtime.twin.node import (
    Answer,
    BuildFinal,
    CompileStep,
    Final,
    Node,
    Scores,
    require,
    scores_of,
)
from modelyard_runtime.twin.rows import Rows

CALIBRATED = "calibrated"
_MEMBER = "calibratedMember"
_WITH_SCORES = frozenset({LINEAR_CLASS, BOOSTED, WEIGHED_VOTES})
_METHODS = ("sigmoid", "isotonic")
_TWO = 2
_JUST_ABOVE_ONE = 1.0 + 1e-5


def compile_calibrated(model: Any, compile_final: CompileStep) -> Node:  # noqa: ANN401
    """A fitted CalibratedClassifierCV."""
    classes = len(model.classes_)
    require(classes >= _TWO, "CalibratedClassifierCV knows a single class")
    members = tuple(_compiled(each, compile_final) for each in model.calibrated_classifiers_)
    return Node(CALIBRATED, settings={"classes": classes}, children=members)


def build_calibrated(node: Node, build_final: BuildFinal) -> Final:
    """Kernel of a CalibratedClassifierCV."""
    classes = node.count("classes", 1 << 20)
    if classes < _TWO or not node.children:
        raise node.broken("classes")
    return _Calibrated(tuple(_member(child, classes, build_final) for child in node.children), classes)


def _compiled(each: Any, compile_final: CompileStep) -> Node:  # noqa: ANN401
    require(each.method in _METHODS, f"CalibratedClassifierCV calibrates by {each.method}")
    final = compile_final(each.estimator)
    scored = hasattr(each.estimator, "decision_function")
    name = type(each.estimator).__name__
    require(not scored or final.kind in _WITH_SCORES, f"CalibratedClassifierCV asks {name} for scores")
    labels = np.searchsorted(each.classes, each.estimator.classes_)
    arrays = {"labels": labels.astype(np.int64)}
    for at, curve in enumerate(each.calibrators):
        if each.method == "sigmoid":
            arrays[f"curve{at}"] = np.array([curve.a_, curve.b_], dtype=np.float64)
            continue
        require(curve.X_thresholds_.dtype == np.float64, f"{name} answers in single precision")
        arrays[f"scores{at}"] = np.asarray(curve.X_thresholds_)
        arrays[f"shares{at}"] = np.asarray(curve.y_thresholds_, dtype=np.float64)
    return Node(
        _MEMBER,
        settings={"method": each.method, "scored": scored, "curves": len(each.calibrators)},
        arrays=arrays,
        children=(final,),
    )


Curve = Callable[[np.ndarray], np.ndarray]


def _member(node: Node, classes: int, build_final: BuildFinal) -> _Member:
    if node.kind != _MEMBER or len(node.children) != 1:
        raise node.broken("children")
    final = build_final(node.children[0])
    labels = node.numbers("labels", np.int64, final.classes or 0)
    if not len(labels) or labels.min() < 0 or labels.max() >= classes:
        raise node.broken("labels")
    scores = scores_of(final) if node.flag("scored") else None
    if scores is None and (node.flag("scored") or not final.gives_probabilities):
        raise node.broken("scored")
    own = 1 if len(labels) <= _TWO else len(labels)
    if node.count("curves", 1 << 20) != own:
        raise node.broken("curves")
    make = _sigmoid if node.choice("method", *_METHODS) == "sigmoid" else _isotonic
    # Of two classes the second is asked for, of which alone there is a curve.
    places = labels if classes > _TWO else np.ones(1, dtype=np.int64)
    return _Member(final, scores, tuple(make(node, at) for at in range(own)), places)


def _sigmoid(node: Node, at: int) -> Curve:
    slope, offset = node.numbers(f"curve{at}", np.float64, 2).tolist()
    return lambda scores: logistic(-(slope * scores + offset))


def _isotonic(node: Node, at: int) -> Curve:
    knots = node.numbers(f"scores{at}", np.float64, None)
    shares = node.numbers(f"shares{at}", np.float64, len(knots))
    if not len(knots):
        raise node.broken(f"scores{at}")
    low, high = knots[0], knots[-1]

    def curve(scores: np.ndarray) -> np.ndarray:
        if not np.isfinite(scores).all():
            raise ValueError("Input contains infinity or NaN.")
        return np.asarray(np.interp(np.clip(scores, low, high), knots, shares))

    return curve


@dataclass(frozen=True)
class _Member:
    final: Final
    scores: Scores | None
    curves: tuple[Curve, ...]
    places: np.ndarray

    def shares(self, rows: Rows, classes: int) -> np.ndarray:
        said = self._said(rows)
        shares = np.zeros((len(said), classes))
        for at, (place, curve) in enumerate(zip(self.places, self.curves, strict=False)):
            shares[:, place] = curve(said[:, at])
        if classes == _TWO:
            shares[:, 0] = 1.0 - shares[:, 1]
        else:
            total = np.sum(shares, axis=1)[:, np.newaxis]
            even = np.full_like(shares, 1 / classes)
            shares = np.divide(shares, total, out=even, where=total != 0)
        shares[(shares > 1.0) & (shares <= _JUST_ABOVE_ONE)] = 1.0
        return shares

    def _said(self, rows: Rows) -> np.ndarray:
        if self.scores is not None:
            return self.scores(rows)
        found = self.final(rows, probabilities=True).probabilities
        if found is None:
            raise ValueError("the estimator gives no probabilities")
        return found if found.shape[1] > _TWO else found[:, 1:]


@dataclass(frozen=True)
class _Calibrated:
    members: tuple[_Member, ...]
    classes: int

    gives_probabilities = True

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        shares = np.zeros((rows.shape[0], self.classes))
        for member in self.members:
            shares += member.shares(rows, self.classes)
        shares /= len(self.members)
        return Answer(shares.argmax(axis=1), shares if probabilities else None)
