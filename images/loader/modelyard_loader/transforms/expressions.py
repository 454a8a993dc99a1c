"""Judges expressions of users: one expression over the row's columns, made of what is on the list and nothing else.

What is executed is what was judged: the SQL is written anew from the parsed tree, never taken from the text.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from modelyard_loader.suggestions import use_one_of
from modelyard_loader.transforms.relation import DIALECT, Relation, column_ref
from modelyard_runtime.errors import InvalidSpecError

_STRUCTURE: frozenset[type[exp.Expression]] = frozenset({
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between,
    exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.ILike, exp.Escape, exp.DPipe,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg,
    exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType,
})  # fmt: skip

_FUNCTIONS: dict[type[exp.Expression], str] = {
    exp.Abs: "abs", exp.Cbrt: "cbrt", exp.Ceil: "ceil", exp.Coalesce: "coalesce", exp.Concat: "concat",
    exp.Contains: "contains", exp.Exp: "exp", exp.Floor: "floor", exp.Greatest: "greatest", exp.IsInf: "isinf",
    exp.IsNan: "isnan",
    exp.Least: "least", exp.Left: "left", exp.Length: "length", exp.Ln: "ln", exp.Log: "log", exp.Lower: "lower",
    exp.Nullif: "nullif", exp.Pow: "pow", exp.RegexpLike: "regexp_matches", exp.RegexpReplace: "regexp_replace",
    exp.Replace: "replace", exp.Right: "right", exp.Round: "round", exp.Sign: "sign", exp.Sin: "sin",
    exp.Cos: "cos", exp.Tan: "tan", exp.Sqrt: "sqrt", exp.StartsWith: "starts_with", exp.StrPosition: "strpos",
    exp.Substring: "substring", exp.Tanh: "tanh", exp.Trim: "trim", exp.Trunc: "trunc", exp.Upper: "upper",
}  # fmt: skip
"""Functions that depend on their arguments alone."""

_ALSO = frozenset({"isfinite"})
"""Functions that sqlglot has no class for."""

_CASTS = frozenset({
    exp.DType.BIGINT, exp.DType.INT, exp.DType.DOUBLE, exp.DType.FLOAT, exp.DType.BOOLEAN, exp.DType.TEXT,
    exp.DType.VARCHAR,
})  # fmt: skip

FUNCTION_NAMES = tuple(sorted({*_FUNCTIONS.values(), *_ALSO, "if", "ifnull", "log10", "log2", "try_cast"}))

_CALLED = re.compile(r"\w+(?=\()")
_DEPTH = 100
_LOGARITHMS = {"10": "log10", "2": "log2"}


def judged(text: str, relation: Relation, field: str) -> exp.Expression:
    """The expression, with its columns checked and quoted. Raises InvalidSpecError that names what does not fit."""
    tree = _parsed(text, f"{relation.path}.{field}")
    for node in tree.walk():
        _judge(node, text, relation, field)
    return _rewritten(tree)


def _parsed(text: str, field: str) -> exp.Expression:
    try:
        statements = sqlglot.parse(text, read=DIALECT)
    except SqlglotError as error:
        reason = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        raise InvalidSpecError(
            f"is not an expression ({reason})", field=field, value=text, remedy="write one SQL expression"
        ) from error
    except RecursionError as error:
        raise _too_deep(text, field) from error
    if len(statements) != 1:
        raise InvalidSpecError(
            f"holds {len(statements)} statements",
            field=field,
            value=text,
            remedy="write one expression without a semicolon",
        )
    tree = statements[0]
    if not isinstance(tree, exp.Expression):
        raise InvalidSpecError("is empty", field=field, value=text, remedy="write one SQL expression")
    if any(node.depth > _DEPTH for node in tree.bfs()):
        raise _too_deep(text, field)
    return tree


def _too_deep(text: str, field: str) -> InvalidSpecError:
    return InvalidSpecError(
        "is nested too deep", field=field, value=text, remedy=f"keep it within {_DEPTH} levels, in two steps"
    )


def _judge(node: exp.Expr, text: str, relation: Relation, field: str) -> None:
    kind = type(node)
    path = f"{relation.path}.{field}"
    if kind is exp.Column:
        if node.args.get("table") is not None:
            raise InvalidSpecError(
                f"{node.sql(DIALECT)} names a table", field=path, value=text, remedy="name columns alone"
            )
        _check_column(node.name, text, relation, path)
    elif kind in (exp.Cast, exp.TryCast):
        if node.args["to"].this not in _CASTS or node.args["to"].expressions:
            raise InvalidSpecError(
                f"casts to {node.args['to'].sql(DIALECT)} are not allowed",
                field=path,
                value=text,
                remedy="cast to bigint, double, boolean or varchar",
            )
    elif kind is exp.Anonymous and node.name.lower() in _ALSO:
        return
    elif kind not in _STRUCTURE and kind not in _FUNCTIONS:
        raise InvalidSpecError(
            f"{_what(node)} is not allowed",
            field=path,
            value=text,
            remedy=f"use operators, CASE and the functions {', '.join(FUNCTION_NAMES)}",
        )


def _check_column(name: str, text: str, relation: Relation, path: str) -> None:
    if name not in relation.by_name:
        raise InvalidSpecError(
            f"unknown column {name}", field=path, value=text, remedy=use_one_of(name, relation.names)
        )


def _what(node: exp.Expr) -> str:
    if isinstance(node, exp.Func):
        called = _CALLED.match(node.sql(DIALECT))
        return f"function {called.group() if called else node.sql_name()}".lower()
    return type(node).__name__.upper()


def _rewritten(tree: exp.Expression) -> exp.Expression:
    """The tree with quoted columns, and without the detour by which a parser reads some functions."""
    for node in reversed(list(tree.bfs())):
        node.comments = None
        fresh = _fresh(node)
        if fresh is None:
            continue
        if node is tree:
            return fresh
        node.replace(fresh)
    return tree


def _fresh(node: exp.Expr) -> exp.Expression | None:
    if isinstance(node, exp.Column):
        return column_ref(node.name)
    if isinstance(node, exp.Log) and isinstance(node.this, exp.Literal) and node.expression is not None:
        base = _LOGARITHMS.get(node.this.name)
        return exp.Anonymous(this=base, expressions=[node.expression]) if base else None
    return None
