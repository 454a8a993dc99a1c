"""Steps that arrange other steps: ColumnTransformer, a Pipeline of transformers, and columns that pass unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, RowStep, Transform, require, row_step
from modelyard_runtime.twin.rows import Row, Rows, SparseRow, beside

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
    branches = tuple(_branch(child, width, build_step) for child in node.children)
    return _Columns(width, branches, _columns_alone(width, branches))


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
    return kept[0] if len(kept) == 1 else _Chain(tuple(kept), _chain_alone(tuple(kept)))


class _Same:
    def __call__(self, rows: Rows) -> Rows:
        return rows

    def alone(self, row: Row) -> Row:
        return row


_same = _Same()
Pick = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _One:
    """Picks a column that goes by itself."""

    place: int

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, self.place]


def only_column(step: Transform) -> tuple[int, tuple[Transform, ...]] | None:
    """The column that goes in by itself and alone, and what it goes through; None where that is not all."""
    if not isinstance(step, _Columns) or len(step.branches) != 1:
        return None
    pick, inner = step.branches[0]
    if not isinstance(pick, _One):
        return None
    return pick.place, inner.steps if isinstance(inner, _Chain) else (inner,)


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
        return _One(first)
    if np.array_equal(positions, np.arange(first, first + count)):
        return lambda rows: rows[:, first : first + count]
    return lambda rows: rows.take(positions, axis=1)


@dataclass(frozen=True)
class _Chain:
    steps: tuple[Transform, ...]
    alone: RowStep | None

    def __call__(self, rows: Rows) -> Rows:
        for step in self.steps:
            rows = step(rows)
        return rows


def _chain_alone(steps: tuple[Transform, ...]) -> RowStep | None:
    found = [row_step(step) for step in steps]
    known = [step for step in found if step is not None]
    if len(known) < len(found):
        return None

    def alone(row: Row) -> Row | None:
        for step in known:
            found = step(row)
            if found is None:
                return None
            row = found
        return row

    return alone


@dataclass(frozen=True)
class _Columns:
    width: int
    branches: tuple[tuple[Pick, Transform], ...]
    alone: RowStep | None

    def __call__(self, rows: Rows) -> Rows:
        held = rows if isinstance(rows, np.ndarray) else rows.dense()
        if held.ndim != 2 or held.shape[1] != self.width:  # noqa: PLR2004  rows and columns
            raise ValueError(f"X has not the {self.width} columns that the model was fitted with.")
        return beside([step(pick(held)) for pick, step in self.branches])


def _columns_alone(width: int, branches: Sequence[tuple[Pick, Transform]]) -> RowStep | None:
    known = [
        (pick, step) for pick, step in ((pick, row_step(step)) for pick, step in branches) if step is not None
    ]
    if len(known) < len(branches):
        return None

    def alone(row: Row) -> Row | None:
        if not isinstance(row, np.ndarray) or len(row) != width:
            return None
        blocks: list[np.ndarray | SparseRow] = []
        for pick, step in known:
            block = step(pick(row[np.newaxis])[0])
            if block is None:
                return None
            if isinstance(block, np.ndarray | SparseRow):
                blocks.append(block)
            else:
                blocks.extend(block)
        return blocks[0] if len(blocks) == 1 else tuple(blocks)

    return alone
