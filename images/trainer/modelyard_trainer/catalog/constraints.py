"""Turns the constraints that scikit-learn publishes for its parameters into those of the catalog."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, Protocol

from sklearn.utils import _param_validation as published

from modelyard_api.catalog.model import Accept, Parameter, ValueType

_SEED_LIMIT = 2**32 - 1

_TYPES: dict[type, ValueType] = {
    bool: ValueType.BOOLEAN,
    int: ValueType.INTEGER,
    Integral: ValueType.INTEGER,
    float: ValueType.NUMBER,
    Real: ValueType.NUMBER,
    published.RealNotInt: ValueType.FLOAT,
    str: ValueType.STRING,
    list: ValueType.LIST,
    tuple: ValueType.TUPLE,
    dict: ValueType.OBJECT,
    Mapping: ValueType.OBJECT,
}

_NULL = Accept(type=ValueType.NULL)
_BOOLEAN = Accept(type=ValueType.BOOLEAN)
_LIST = Accept(type=ValueType.LIST)
_NUMBER = Accept(type=ValueType.NUMBER)
_STRING = Accept(type=ValueType.STRING)

_FIXED: dict[str, list[Accept]] = {
    "_NoneConstraint": [_NULL],
    "_Booleans": [_BOOLEAN],
    "_ArrayLikes": [_LIST],
    "_IterablesNotString": [_LIST],
    "_VerboseHelper": [Accept(type=ValueType.INTEGER, minimum=0), _BOOLEAN],
    "_RandomStates": [Accept(type=ValueType.INTEGER, minimum=0, maximum=_SEED_LIMIT), _NULL],
    "_CVObjects": [Accept(type=ValueType.INTEGER, minimum=2), _NULL],
    "MissingValues": [_NUMBER, _STRING, _NULL],
    # Python objects, which no resource can hold.
    "_Callables": [],
    "HasMethods": [],
    "_SparseMatrices": [],
    "_PandasNAConstraint": [],
    "_NanConstraint": [],
}

_OVERRULED: dict[str, list[Accept]] = {
    # A directory in which joblib keeps pickles, and reads them back.
    "memory": [],
    # Vectorisers open files whose names stand in the data unless the data are the content.
    "input": [Accept(type=ValueType.STRING, enum=["content"])],
    # Any other text is a path of attributes to follow.
    "importance_getter": [
        Accept(type=ValueType.STRING, enum=["auto", "coef_", "feature_importances_"]),
    ],
    "dtype": [],
}


def parameters_of(cls: type) -> list[Parameter]:
    """The keyword arguments of a class, in order, with what each accepts from a resource."""
    constraints: dict[str, Any] = getattr(cls, "_parameter_constraints", {})
    found = []
    for argument in inspect.signature(cls).parameters.values():
        if argument.kind is inspect.Parameter.VAR_KEYWORD or argument.default == "deprecated":
            continue
        required = argument.default is inspect.Parameter.empty
        found.append(
            Parameter(
                name=argument.name,
                default=None if required else _python_text(argument.default),
                accepts=_accepts(argument.name, constraints.get(argument.name, "no_validation")),
            )
        )
    return found


def _accepts(name: str, constraints: object) -> list[Accept]:
    if name in _OVERRULED:
        return _OVERRULED[name]
    if not isinstance(constraints, list):
        return [Accept(type=ValueType.ANY)]
    alternatives: list[Accept] = []
    for raw in constraints:
        for alternative in _translate(raw):
            if alternative not in alternatives:
                alternatives.append(alternative)
    return alternatives


def _translate(raw: object) -> Iterator[Accept]:
    constraint = published.make_constraint(raw)
    fixed = _FIXED.get(type(constraint).__name__)
    if fixed is not None:
        yield from fixed
        return
    special = _SPECIAL.get(type(constraint).__name__)
    if special is None:
        raise ValueError(f"unknown constraint {constraint!r}: add it to {__name__}")
    yield from special(constraint)


class _OfType(Protocol):
    type: type


def _interval(constraint: published.Interval) -> Iterator[Accept]:
    left_closed, right_closed = constraint.closed in {"left", "both"}, constraint.closed in {"right", "both"}
    limits: dict[str, float] = {}
    if constraint.left is not None and abs(constraint.left) != float("inf"):
        limits["minimum" if left_closed else "exclusive_minimum"] = constraint.left
    if constraint.right is not None and abs(constraint.right) != float("inf"):
        limits["maximum" if right_closed else "exclusive_maximum"] = constraint.right
    yield Accept.model_validate({"type": _TYPES[constraint.type], **limits})


def _options(constraint: published.Options) -> Iterator[Accept]:
    values = sorted(
        (value for value in constraint.options - constraint.deprecated if _is_plain(value)), key=str
    )
    if values:
        yield Accept(type=_TYPES[constraint.type], enum=values)


def _instances(constraint: _OfType) -> Iterator[Accept]:
    if constraint.type in _TYPES:
        yield Accept(type=_TYPES[constraint.type])


_SPECIAL: dict[str, Callable[[Any], Iterator[Accept]]] = {
    "Interval": _interval,
    "Options": _options,
    "StrOptions": _options,
    "_InstancesOf": _instances,
}


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | str) or (isinstance(value, float) and abs(value) != float("inf"))


def _python_text(default: object) -> str:
    # The repr of a function holds an address, which is another one in every process.
    name: str | None = getattr(default, "__name__", None)
    return name or repr(default)
