"""Steps that arrange other steps: ColumnTransformer, a Pipeline of transformers, and columns that pass unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, Transform, require
from modelyard_runtime.twin.rows import Rows, beside

COLUMNS = "columns"
BRANCH = "branch"
CHAIN = "chain"
SAME = "same"


def compile_columns(transformer: Any, compile_step: CompileStep) -> Node:  # noqa: ANN401
    """A fitted ColumnTransformer."""
    require(not transformer.transformer_weights, "ColumnTransformer has transformer_weights")
    branches = []
    for name, step, columns in transformer.transformers_:
        # Where the columns were given as a function, only the transformer knows which they became.
        positions = np.asarray(transformer._transformer_to_input_indices[name], dtype=np.int64)  # noqa: SLF001
        if isinstance(step, str) and step == "drop":
            continue
        if len(positions) == 0:
            continue
        alone = isinstance(columns, int | np.integer) and not isinstance(columns, bool | np.bool_)
        branches.append(
            Node(
                BRANCH,
                settings={"alone": alone},
                arrays={"positions": positions},
                children=(compile_step(step),),
            )
        )
    require(bool(branches), "ColumnTransformer keeps no column")
    return Node(COLUMNS, settings={"width": int(transformer.n_features_in_)}, children=tuple(branches))


def compile_chain(pipeline: Any, compile_step: CompileStep) -> Node:  # noqa: ANN401
    """A fitted Pipeline of transformers."""
    return Node(CHAIN, children=tuple(compile_step(step) for _, step in pipeline.steps))


def compile_function(transformer: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A FunctionTransformer without a function, which is what a ColumnTransformer makes of ``passthrough``."""
    require(transformer.func is None, "FunctionTransformer calls a function")
    require(not transformer.validate, "FunctionTransformer validates")
    return Node(SAME)


def build_columns(node: Node, build_step: BuildStep) -> Transform:
    """Kernel of a ColumnTransformer."""
    width = node.count("width", 1 << 24)
    if not node.children:
        raise node.broken("children")
    return _Columns(width, tuple(_branch(child, width, build_step) for child in node.children))


def build_chain(node: Node, build_step: BuildStep) -> Transform:
    """Kernel of a Pipeline."""
    return chained([build_step(child) for child in node.children])


def build_same(_: Node, __: BuildStep) -> Transform:
    """Kernel of columns that pass unchanged."""
    return _same


def chained(steps: list[Transform]) -> Transform:
    """Steps one after another."""
    kept = [step for step in steps if step is not _same]
    if not kept:
        return _same
    return kept[0] if len(kept) == 1 else _Chain(tuple(kept))


def _same(rows: Rows) -> Rows:
    return rows


Pick = Callable[[np.ndarray], np.ndarray]


def _branch(node: Node, width: int, build_step: BuildStep) -> tuple[Pick, Transform]:
    positions = node.numbers("positions", np.int64, None)
    alone = node.flag("alone")
    if (
        node.kind != BRANCH
        or len(node.children) != 1
        or len(positions) == 0
        or (alone and len(positions) > 1)
    ):
        raise node.broken("positions")
    if positions.min() < 0 or positions.max() >= width:
        raise node.broken("positions")
    return _picking(positions, alone=alone), build_step(node.children[0])


def _picking(positions: np.ndarray, *, alone: bool) -> Pick:
    first, count = int(positions[0]), len(positions)
    if alone:
        return lambda rows: rows[:, first]
    if np.array_equal(positions, np.arange(first, first + count)):
        return lambda rows: rows[:, first : first + count]
    return lambda rows: rows.take(positions, axis=1)


@dataclass(frozen=True)
class _Chain:
    steps: tuple[Transform, ...]

    def __call__(self, rows: Rows) -> Rows:
        for step in self.steps:
            rows = step(rows)
        return rows


@dataclass(frozen=True)
class _Columns:
    width: int
    branches: tuple[tuple[Pick, Transform], ...]

    def __call__(self, rows: Rows) -> Rows:
        held = rows if isinstance(rows, np.ndarray) else rows.dense()
        if held.ndim != 2 or held.shape[1] != self.width:  # noqa: PLR2004  rows and columns
            raise ValueError(f"X has not the {self.width} columns that the model was fitted with.")
        return beside([step(pick(held)) for pick, step in self.branches])
