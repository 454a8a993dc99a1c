"""Estimators that ask several others: votes, and stacks of which the last is asked what to make of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import (
    Answer,
    BuildFinal,
    CompileStep,
    Final,
    Node,
    RowAnswer,
    require,
    row_answer,
)
from modelyard_runtime.twin.rows import Row, Rows, floats

VOTE_OF_VALUES = "voteOfValues"
VOTE_OF_LABELS = "voteOfLabels"
STACK = "stack"
_TWO = 2


def compile_voting(model: Any, compile_final: CompileStep) -> Node:  # noqa: ANN401
    """A fitted VotingRegressor or VotingClassifier."""
    weights = model._weights_not_none  # noqa: SLF001  those of the estimators that were not dropped
    arrays = {} if weights is None else {"weights": np.asarray(weights, dtype=np.float64)}
    children = tuple(compile_final(each) for each in model.estimators_)
    if not hasattr(model, "classes_"):
        return Node(VOTE_OF_VALUES, arrays=arrays, children=children)
    settings = {"soft": model.voting == "soft", "classes": len(model.classes_)}
    return Node(VOTE_OF_LABELS, settings=settings, arrays=arrays, children=children)


def compile_stacking(model: Any, compile_final: CompileStep) -> Node:  # noqa: ANN401
    """A fitted StackingRegressor or StackingClassifier whose estimators give values or probabilities."""
    name = type(model).__name__
    methods = {"predict", "predict_proba"} if not hasattr(model, "classes_") else {"predict_proba"}
    require(set(model.stack_method_) <= methods, f"{name} stacks scores")
    require(len(model.stack_method_) == len(model.estimators_), f"{name} drops an estimator")
    last = compile_final(model.final_estimator_)
    children = (*(compile_final(each) for each in model.estimators_), last)
    return Node(STACK, settings={"passthrough": bool(model.passthrough)}, children=children)


def compile_inner(model: Any, compile_final: CompileStep) -> Node:  # noqa: ANN401
    """A fitted estimator that hands every row on to another, such as RANSACRegressor."""
    return compile_final(model.estimator_)


def build_vote_of_values(node: Node, build_final: BuildFinal) -> Final:
    """Kernel of a VotingRegressor."""
    members, weights = _members(node, build_final)
    if any(member.classes is not None for member in members):
        raise node.broken("children")
    return _VoteOfValues(members, weights)


def build_vote_of_labels(node: Node, build_final: BuildFinal) -> Final:
    """Kernel of a VotingClassifier."""
    members, weights = _members(node, build_final)
    soft, classes = node.flag("soft"), node.count("classes", 1 << 20)
    if any(member.classes != classes or (soft and not member.gives_probabilities) for member in members):
        raise node.broken("children")
    if not soft:
        return _VoteOfLabels(members, weights, classes)
    only = row_answer(members[0]) if len(members) == 1 and weights is None else None
    return _VoteOfShares(members, weights, classes, only)


def build_stack(node: Node, build_final: BuildFinal) -> Final:
    """Kernel of a StackingRegressor or StackingClassifier."""
    if len(node.children) < _TWO:
        raise node.broken("children")
    *members, last = (build_final(child) for child in node.children)
    if any((member.classes is None) != (last.classes is None) for member in members):
        raise node.broken("children")
    if any(member.classes is not None and not member.gives_probabilities for member in members):
        raise node.broken("children")
    return _Stack(tuple(members), last, node.flag("passthrough"))


def _members(node: Node, build_final: BuildFinal) -> tuple[tuple[Final, ...], np.ndarray | None]:
    if not node.children:
        raise node.broken("children")
    weights = node.numbers("weights", np.float64, len(node.children)) if "weights" in node.arrays else None
    if weights is not None and not weights.sum() > 0:
        raise node.broken("weights")
    return tuple(build_final(child) for child in node.children), weights


@dataclass(frozen=True)
class _VoteOfValues:
    members: tuple[Final, ...]
    weights: np.ndarray | None

    gives_probabilities = False
    classes = None

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        del probabilities
        found = np.asarray([member(rows, probabilities=False).values for member in self.members]).T
        return Answer(np.asarray(np.average(found, axis=1, weights=self.weights)))


@dataclass(frozen=True)
class _VoteOfShares:
    members: tuple[Final, ...]
    weights: np.ndarray | None
    classes: int
    only: RowAnswer | None
    """The only member's way for a single row."""

    gives_probabilities = True

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        found = np.asarray([member(rows, probabilities=True).probabilities for member in self.members])
        shares = np.asarray(np.average(found, axis=0, weights=self.weights))
        return Answer(shares.argmax(axis=1), shares if probabilities else None)

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        found = self.only(row, probabilities=True) if self.only is not None else None
        if found is None or found.probabilities is None:
            return None
        return Answer(found.probabilities.argmax(axis=1), found.probabilities if probabilities else None)


@dataclass(frozen=True)
class _VoteOfLabels:
    members: tuple[Final, ...]
    weights: np.ndarray | None
    classes: int

    gives_probabilities = False

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        del probabilities
        votes = np.zeros((rows.shape[0], self.classes))
        own = np.arange(len(votes))
        for at, member in enumerate(self.members):
            votes[own, member(rows, probabilities=False).values] += (
                1 if self.weights is None else self.weights[at]
            )
        return Answer(votes.argmax(axis=1))


@dataclass(frozen=True)
class _Stack:
    members: tuple[Final, ...]
    last: Final
    passthrough: bool

    @property
    def gives_probabilities(self) -> bool:
        return self.last.gives_probabilities

    @property
    def classes(self) -> int | None:
        return self.last.classes

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        blocks = [self._block(member, rows) for member in self.members]
        if self.passthrough:
            blocks.append(floats(rows))
        return self.last(np.concatenate(blocks, axis=1), probabilities=probabilities)

    @staticmethod
    def _block(member: Final, rows: Rows) -> np.ndarray:
        answer = member(rows, probabilities=True)
        if answer.probabilities is None:
            return answer.values[:, np.newaxis]
        return answer.probabilities if answer.probabilities.shape[1] > _TWO else answer.probabilities[:, 1:]
