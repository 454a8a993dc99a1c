"""Scalers: the same arithmetic on every row, in scikit-learn's own order of operations, so that the bits agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import BuildStep, CompileStep, Node, NotCompiledError, Transform
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite

ARITHMETIC = "arithmetic"
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "subtract": np.subtract,
    "divide": np.divide,
    "multiply": np.multiply,
    "add": np.add,
    "atLeast": np.maximum,
    "atMost": np.minimum,
}
_CLIPS = frozenset({"atLeast", "atMost"})
"""Would make a finite value of an infinite one, which is to be refused."""
_MAX_OPERATIONS = 8


def compile_scaler(scaler: Any, _: CompileStep) -> Node:  # noqa: ANN401
    """A fitted StandardScaler, MinMaxScaler, MaxAbsScaler or RobustScaler."""
    name = type(scaler).__name__
    operations = _COMPILED[name](scaler)
    width = int(scaler.n_features_in_)
    arrays = {}
    for position, (_operation, operand) in enumerate(operations):
        values = np.broadcast_to(np.asarray(operand, dtype=np.float64), (width,))
        if np.isnan(values).any():
            raise NotCompiledError(f"{name} saw a column without values")
        arrays[f"operand{position}"] = values
    names = [operation for operation, _operand in operations]
    return Node(ARITHMETIC, settings={"operations": [*names], "width": width}, arrays=arrays)


def build_arithmetic(node: Node, _: BuildStep) -> Transform:
    """Kernel of a scaler."""
    names = node.settings.get("operations")
    width = node.count("width", 1 << 24)
    if not isinstance(names, list) or len(names) > _MAX_OPERATIONS:
        raise node.broken("operations")
    steps = []
    for position, name in enumerate(names):
        operation = _OPERATIONS.get(name) if isinstance(name, str) else None
        if operation is None:
            raise node.broken("operations")
        steps.append((operation, node.numbers(f"operand{position}", np.float64, width)))
    return _Arithmetic(width, tuple(steps), clips=bool(_CLIPS.intersection(map(str, names))))


Operation = tuple[str, Any]


def _standard(scaler: Any) -> list[Operation]:  # noqa: ANN401
    found: list[Operation] = []
    if scaler.with_mean:
        found.append(("subtract", scaler.mean_))
    if scaler.with_std:
        found.append(("divide", scaler.scale_))
    return found


def _min_max(scaler: Any) -> list[Operation]:  # noqa: ANN401
    found: list[Operation] = [("multiply", scaler.scale_), ("add", scaler.min_)]
    if scaler.clip:
        low, high = scaler.feature_range
        found += [("atLeast", low), ("atMost", high)]
    return found


def _max_abs(scaler: Any) -> list[Operation]:  # noqa: ANN401
    if getattr(scaler, "clip", False):
        raise NotCompiledError("MaxAbsScaler clips")
    return [("divide", scaler.scale_)]


def _robust(scaler: Any) -> list[Operation]:  # noqa: ANN401
    found: list[Operation] = []
    if scaler.with_centering:
        found.append(("subtract", scaler.center_))
    if scaler.with_scaling:
        found.append(("divide", scaler.scale_))
    return found


_COMPILED: dict[str, Callable[[Any], list[Operation]]] = {
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "RobustScaler": _robust,
    "StandardScaler": _standard,
}


@dataclass(frozen=True)
class _Arithmetic:
    width: int
    steps: tuple[tuple[Callable[..., Any], np.ndarray], ...]
    clips: bool

    def alone(self, row: Row) -> Row | None:
        held = float_row(row)
        if held is None or len(held) != self.width or (self.clips and not is_finite(held)):
            return None
        for operation, operand in self.steps:
            held = operation(held, operand)
        return held

    def __call__(self, rows: Rows) -> Rows:
        held = floats(rows, missing=True)
        if held.ndim != 2 or held.shape[1] != self.width:  # noqa: PLR2004  rows and columns
            raise ValueError(f"X has not the {self.width} columns that the scaler was fitted with.")
        out: np.ndarray | None = None
        for operation, operand in self.steps:
            out = operation(held if out is None else out, operand, out=out)
        return held if out is None else out
