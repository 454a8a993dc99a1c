"""Compiled programs that nobody should run: true ones with a node changed.

They would leave their arrays, never end, take all memory, or answer something else than the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from modelyard_api.contract.bundle import TWIN_FILE
from modelyard_runtime.twin import document
from modelyard_runtime.twin.node import Node
from tests.support.bundles import FittedModel, build_compiled, forest, iris, titles

Edit = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class HostileTwin:
    """A program of a model, with every node of one kind changed."""

    model: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Edit] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def content(self) -> bytes:
        """Its file."""
        return document.dump(self._changed(document.load(built(self.model))))

    def _changed(self, node: Node) -> Node:
        children = tuple(self._changed(child) for child in node.children)
        if node.kind != self.kind:
            return replace(node, children=children)
        return Node(
            node.kind,
            {**node.settings, **self.settings},
            {**node.arrays, **{name: edit(node.arrays[name].copy()) for name, edit in self.arrays.items()}},
            {**node.texts, **self.texts},
            children,
        )


@cache
def fitted(model: str) -> FittedModel:
    """One of the models that are changed."""
    made: dict[str, Callable[[], FittedModel]] = {
        "flowers": iris,
        "titles": titles,
        "forest": lambda: forest(trees=3),
    }
    return made[model]()


@cache
def built(model: str) -> bytes:
    """Its true program."""
    return build_compiled(fitted(model)).files[TWIN_FILE]


def twins() -> dict[str, HostileTwin]:
    """All of them by what they try."""
    return {**_trees(), **_numbers(), **_texts()}


def _put(at: int, value: float) -> Edit:
    def edit(held: np.ndarray) -> np.ndarray:
        held.reshape(-1)[at] = value
        return held

    return edit


def _all(value: float) -> Edit:
    return lambda held: np.full_like(held, value)


def _trees() -> dict[str, HostileTwin]:
    def tree(**arrays: Edit) -> HostileTwin:
        return HostileTwin("forest", "forest", arrays=arrays)

    return {
        "a tree whose child is far away": tree(ends=_put(0, 10**9)),
        "a tree whose leaf is far away": tree(ends=_put(0, -(10**9))),
        "a tree that goes round for ever": tree(ends=lambda held: np.where(held > 0, 0, held)),
        "a tree that goes back": tree(ends=lambda held: np.where(held == held.max(), 0, held)),
        "a tree that begins with a child of another": tree(first=lambda held: held + (held == 0)),
        "a tree that reads before the row": tree(features=lambda held: _put(0, -1)(held.astype(np.int32))),
        "a tree that reads behind the row": tree(features=_put(0, 255)),
        "a tree that compares with other numbers": tree(thresholds=lambda held: held.astype(np.float64)),
        "a tree that begins before the first stride": tree(first=_put(0, -(10**9))),
        "a tree that begins behind the last stride": tree(first=_put(1, 10**9)),
        "a tree without a beginning": tree(first=lambda held: held[:0]),
        "a tree with fewer values than leaves": tree(values=lambda held: held[:-1]),
        "a tree with more values than leaves": tree(values=lambda held: np.concatenate([held, held[:1]])),
        "a tree that is cut": tree(missing=lambda held: held[:-1]),
        "a tree that is empty": tree(
            **dict.fromkeys(("features", "thresholds", "missing", "ends", "values"), lambda held: held[:0])
        ),
        "a forest of other labels": HostileTwin("forest", "forest", settings={"classes": 1 << 20}),
        "a forest of another width": HostileTwin("forest", "forest", settings={"width": 1 << 26}),
        "a forest that answers something else": tree(values=_all(7.0)),
    }


def _numbers() -> dict[str, HostileTwin]:
    return {
        "a scaler of another width": HostileTwin("flowers", "arithmetic", settings={"width": 3}),
        "a scaler that runs code": HostileTwin(
            "flowers", "arithmetic", settings={"operations": ["eval", "divide"]}
        ),
        "a scaler that divides by nothing": HostileTwin(
            "flowers", "arithmetic", arrays={"operand1": _all(0.0)}
        ),
        "weights of another shape": HostileTwin(
            "flowers", "linearClass", arrays={"weights": lambda held: held.T}
        ),
        "weights that are no numbers": HostileTwin(
            "flowers", "linearClass", arrays={"weights": _all(np.nan)}
        ),
        "weights that say something else": HostileTwin(
            "flowers", "linearClass", arrays={"weights": _all(0.0)}
        ),
        "other labels": HostileTwin(
            "flowers", "program", texts={"classes": ("virginica", "setosa", "versicolor")}
        ),
        "more inputs than the bundle has": HostileTwin("flowers", "program", settings={"width": 1 << 20}),
        "an imputer that keeps a column that is not there": HostileTwin(
            "titles", "impute", arrays={"kept": _put(0, 10**6)}
        ),
    }


def _texts() -> dict[str, HostileTwin]:
    def words(**settings: Any) -> HostileTwin:  # noqa: ANN401  JSON
        return HostileTwin("titles", "words", settings=settings)

    return {
        "a pattern that is none": words(pattern="("),
        "a pattern without end": words(pattern="a" * 10_000),
        "a pattern that takes time without end": words(pattern=r"(?:\w+\s?)+$"),
        "a pattern of two groups": words(pattern="(a)(b)"),
        "runs of a million words": words(most=10**6),
        "runs of less than no words": words(fewest=-1),
        "an analyser that runs code": words(analyzer="os.system"),
        "terms of another number than their weights": HostileTwin(
            "titles", "words", texts={"vocabulary": ("a", "b")}
        ),
        "a column before the first": HostileTwin("titles", "branch", arrays={"positions": _put(0, -1)}),
        "a column behind the last": HostileTwin("titles", "branch", arrays={"positions": _put(0, 10**9)}),
    }
