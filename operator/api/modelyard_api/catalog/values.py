"""Values of parameters: whether a class accepts one, and what Python value a JSON value stands for."""

from __future__ import annotations

import re
from collections.abc import Callable

from modelyard_api.catalog.model import Accept, Parameter, ValueType
from modelyard_api.v1alpha1.common import Json

_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?")

_IS_TYPE: dict[ValueType, Callable[[Json], bool]] = {
    ValueType.NULL: lambda value: value is None,
    ValueType.BOOLEAN: lambda value: isinstance(value, bool),
    ValueType.INTEGER: lambda value: isinstance(value, int) and not isinstance(value, bool),
    ValueType.NUMBER: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ValueType.FLOAT: lambda value: isinstance(value, float),
    ValueType.STRING: lambda value: isinstance(value, str),
    ValueType.LIST: lambda value: isinstance(value, list | tuple),
    ValueType.TUPLE: lambda value: isinstance(value, list | tuple),
    ValueType.OBJECT: lambda value: isinstance(value, dict),
    ValueType.ESTIMATOR: lambda _: False,
    ValueType.ESTIMATORS: lambda _: False,
    ValueType.FUNCTION: lambda value: isinstance(value, str),
    ValueType.ANY: lambda _: True,
}

_NOUN: dict[ValueType, str] = {
    ValueType.NULL: "null",
    ValueType.BOOLEAN: "true or false",
    ValueType.INTEGER: "an integer",
    ValueType.NUMBER: "a number",
    ValueType.FLOAT: "a fraction",
    ValueType.STRING: "a string",
    ValueType.LIST: "a list",
    ValueType.TUPLE: "a list",
    ValueType.OBJECT: "a map",
    ValueType.ESTIMATOR: "class and params of",
    ValueType.ESTIMATORS: "a list of name, class and params of each",
    ValueType.FUNCTION: "a function",
    ValueType.ANY: "any value",
}

_NUMERIC = frozenset({ValueType.INTEGER, ValueType.NUMBER, ValueType.FLOAT})


def accepts(parameter: Parameter, value: Json) -> bool:
    """Whether the class takes the Python value that ``value`` stands for."""
    python = to_python(parameter, value)
    return any(_accepted(alternative, python) for alternative in parameter.accepts)


def to_python(parameter: Parameter, value: Json) -> Json:
    """The Python value that a JSON value stands for.

    A list becomes a tuple where the class takes tuples only. Text such as ``"1.0"`` becomes a float where the
    class takes numbers and not this text: Kubernetes stores the number 1.0 as 1, which for some parameters (the
    ``max_features`` of forests) means something else, so that text is the one way to say a whole float.
    """
    alternatives = parameter.accepts
    if isinstance(value, list):
        types = {alternative.type for alternative in alternatives}
        return tuple(value) if ValueType.TUPLE in types and ValueType.LIST not in types else value
    if isinstance(value, str) and _FLOAT.fullmatch(value):
        as_text = any(_accepted(alternative, value) for alternative in alternatives)
        numeric = any(alternative.type in _NUMERIC - {ValueType.INTEGER} for alternative in alternatives)
        return float(value) if numeric and not as_text else value
    return value


def describe(parameter: Parameter) -> str:
    """What the parameter accepts, in words: ``an integer ≥ 1 or null``."""
    words = list(dict.fromkeys(_words(alternative) for alternative in parameter.accepts))
    if not words:
        return "nothing that a resource can hold (the default stands)"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _accepted(alternative: Accept, value: Json) -> bool:
    if not _IS_TYPE[alternative.type](value):
        return False
    if alternative.enum is not None:
        return value in alternative.enum
    if alternative.type in _NUMERIC:
        return _within(alternative, value)
    return True


def _within(alternative: Accept, value: float) -> bool:
    low, above = alternative.minimum, alternative.exclusive_minimum
    high, below = alternative.maximum, alternative.exclusive_maximum
    return (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
        and (below is None or value < below)
    )


def _words(alternative: Accept) -> str:
    if alternative.enum is not None:
        return ", ".join(_json(value) for value in alternative.enum)
    if alternative.kinds:
        kinds = " or ".join(alternative.kinds)
        return f"{_NOUN[alternative.type]} {'a ' if alternative.type is ValueType.ESTIMATOR else ''}{kinds}"
    limits = [
        f"{sign} {limit:g}"
        for sign, limit in (
            ("≥", alternative.minimum),
            (">", alternative.exclusive_minimum),
            ("≤", alternative.maximum),
            ("<", alternative.exclusive_maximum),
        )
        if limit is not None
    ]
    return " ".join([_NOUN[alternative.type], " and ".join(limits)]).strip()


def _json(value: Json) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
