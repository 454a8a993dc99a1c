"""TransformedTargetRegressor: what another estimator says, brought back to the scale of the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.node import (
    Answer,
    BuildFinal,
    CompileStep,
    Final,
    Node,
    NotCompiledError,
    require,
    row_answer,
)
from modelyard_runtime.twin.rows import Row, Rows

TARGET = "target"
_NAMED: dict[str, Callable[..., Any]] = {
    name: getattr(np, name) for name in ("exp", "exp2", "expm1", "sinh", "square")
}
_BY_VALUE: dict[str, Callable[..., Any]] = {
    name: getattr(np, name) for name in ("multiply", "add", "subtract", "divide")
}
_MAX_OPERATIONS = 8
Operation = tuple[str, float]


def compile_target(model: Any, compile_final: CompileStep) -> Node:  # noqa: ANN401
    """A fitted TransformedTargetRegressor of one target, of a known function or a scaler."""
    name = type(model).__name__
    require(model._training_dim == 1, f"{name} has several targets")  # noqa: SLF001
    transformer = model.transformer_
    held = type(transformer).__name__
    if held not in _BACK:
        raise NotCompiledError(f"{name} transforms the target by {held}")
    operations = _BACK[held](transformer)
    return Node(
        TARGET,
        settings={"operations": [operation for operation, _ in operations]},
        arrays={"operands": np.array([operand for _, operand in operations], dtype=np.float64)},
        children=(compile_final(model.regressor_),),
    )


def build_target(node: Node, build_final: BuildFinal) -> Final:
    """Kernel of a TransformedTargetRegressor."""
    names = node.settings.get("operations")
    if not isinstance(names, list) or len(names) > _MAX_OPERATIONS or len(node.children) != 1:
        raise node.broken("operations")
    operands = node.numbers("operands", np.float64, len(names))
    steps = []
    for name, operand in zip(names, operands, strict=True):
        if not isinstance(name, str) or name not in {*_NAMED, *_BY_VALUE}:
            raise node.broken("operations")
        steps.append((_NAMED[name], None) if name in _NAMED else (_BY_VALUE[name], operand))
    final = build_final(node.children[0])
    if final.classes is not None:
        raise node.broken("children")
    return _Target(final, tuple(steps))


def _function(transformer: Any) -> list[Operation]:  # noqa: ANN401
    function = transformer.inverse_func
    if function is None:
        return []
    name = getattr(function, "__name__", "")
    if _NAMED.get(name) is not function or transformer.inv_kw_args:
        raise NotCompiledError("TransformedTargetRegressor calls a function")
    return [(name, 0.0)]


def _standard(scaler: Any) -> list[Operation]:  # noqa: ANN401
    found = [("multiply", float(scaler.scale_[0]))] if scaler.with_std else []
    return [*found, ("add", float(scaler.mean_[0]))] if scaler.with_mean else found


def _min_max(scaler: Any) -> list[Operation]:  # noqa: ANN401
    return [("subtract", float(scaler.min_[0])), ("divide", float(scaler.scale_[0]))]


def _max_abs(scaler: Any) -> list[Operation]:  # noqa: ANN401
    return [("multiply", float(scaler.scale_[0]))]


def _robust(scaler: Any) -> list[Operation]:  # noqa: ANN401
    found = [("multiply", float(scaler.scale_[0]))] if scaler.with_scaling else []
    return [*found, ("add", float(scaler.center_[0]))] if scaler.with_centering else found


_BACK: dict[str, Callable[[Any], list[Operation]]] = {
    "FunctionTransformer": _function,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "RobustScaler": _robust,
    "StandardScaler": _standard,
}


@dataclass(frozen=True)
class _Target:
    final: Final
    steps: tuple[tuple[Callable[..., Any], np.float64 | None], ...]

    gives_probabilities = False
    classes = None

    def __call__(self, rows: Rows, *, probabilities: bool) -> Answer:
        del probabilities
        return self._back(self.final(rows, probabilities=False))

    def alone(self, row: Row, *, probabilities: bool) -> Answer | None:
        del probabilities
        answer = row_answer(self.final)
        found = None if answer is None else answer(row, probabilities=False)
        return None if found is None else self._back(found)

    def _back(self, answer: Answer) -> Answer:
        values = answer.values
        # Scalers know missing values, which an estimator never answers with.
        if not np.isfinite(values).all():
            raise ValueError("Input contains infinity or a value too large for dtype('float64').")
        for operation, operand in self.steps:
            values = operation(values) if operand is None else operation(values, operand)
        return Answer(values)
