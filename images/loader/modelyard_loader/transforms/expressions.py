"""Judges expressions of users: one expression over the row's columns, made of what is on the list and nothing else.

What is executed is what was judged: the SQL is written anew from the parsed tree, never taken from the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from modelyard_loader.suggestions import use_one_of
from modelyard_loader.transforms.relation import DIALECT, Relation, column_ref
from modelyard_runtime.errors import InvalidSpecError

_STRUCTURE: frozenset[type[exp.Expr]] = frozenset({
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between,
    exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.ILike, exp.Escape, exp.DPipe,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg,
    exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType,
})  # fmt: skip

_FUNCTIONS: dict[type[exp.Expr], str] = {
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


@dataclass(frozen=True)
class Judge:
    """Looks at a text of a user: parses it, and says of each node whether it is on the list."""

    text: str
    relation: Relation
    field: str
    """Field of the transform that holds the text."""
    noun: str = "expression"
    also: frozenset[type[exp.Expr]] = frozenset()
    """What is allowed besides operators, CASE, casts and functions of a row."""
    names: tuple[str, ...] = FUNCTION_NAMES
    """Functions to name in a refusal."""

    def refusal(self, problem: str, remedy: str) -> InvalidSpecError:
        """The error that says so."""
        return InvalidSpecError(
            problem, field=f"{self.relation.path}.{self.field}", value=self.text, remedy=remedy
        )

    def parsed(self) -> exp.Expr:
        """The one statement of the text. Raises InvalidSpecError."""
        try:
            statements = sqlglot.parse(self.text, read=DIALECT)
        except SqlglotError as error:
            reason = str(error).split("\n", maxsplit=1)[0].rstrip(".")
            raise self.refusal(f"is not an expression ({reason})", f"write one SQL {self.noun}") from error
        except RecursionError as error:
            raise self._too_deep() from error
        if len(statements) != 1:
            raise self.refusal(
                f"holds {len(statements)} statements", f"write one {self.noun} without a semicolon"
            )
        tree = statements[0]
        if not isinstance(tree, exp.Expr):
            raise self.refusal("is empty", f"write one SQL {self.noun}")
        if any(node.depth > _DEPTH for node in tree.bfs()):
            raise self._too_deep()
        return tree

    def check(self, node: exp.Expr) -> None:
        """Raises InvalidSpecError if a node is not allowed."""
        kind = type(node)
        if kind is exp.Column:
            self._check_column(node)
        elif kind in (exp.Cast, exp.TryCast):
            if node.args["to"].this not in _CASTS or node.args["to"].expressions:
                raise self.refusal(
                    f"casts to {node.args['to'].sql(DIALECT)} are not allowed",
                    "cast to bigint, double, boolean or varchar",
                )
        elif kind is exp.Anonymous and node.name.lower() in _ALSO:
            return
        elif kind not in _STRUCTURE and kind not in _FUNCTIONS and kind not in self.also:
            raise self.refusal(
                f"{_what(node)} is not allowed",
                f"use operators, CASE and the functions {', '.join(self.names)}",
            )

    def _check_column(self, node: exp.Expr) -> None:
        if node.args.get("table") is not None:
            raise self.refusal(f"{node.sql(DIALECT)} names a table", "name columns alone")
        if node.name not in self.relation.by_name:
            raise self.refusal(f"unknown column {node.name}", use_one_of(node.name, self.relation.names))

    def _too_deep(self) -> InvalidSpecError:
        return self.refusal("is nested too deep", f"keep it within {_DEPTH} levels, in two steps")


def judged(text: str, relation: Relation, field: str) -> exp.Expr:
    """The expression, with its columns checked and quoted. Raises InvalidSpecError that names what does not fit."""
    judge = Judge(text, relation, field)
    tree = judge.parsed()
    for node in tree.walk():
        judge.check(node)
    return rewritten(tree)


def _what(node: exp.Expr) -> str:
    if isinstance(node, exp.Func):
        called = _CALLED.match(node.sql(DIALECT))
        return f"function {called.group() if called else node.sql_name()}".lower()
    return type(node).__name__.upper()


def rewritten(tree: exp.Expr) -> exp.Expr:
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


def _fresh(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Column):
        return column_ref(node.name)
    if isinstance(node, exp.Log) and isinstance(node.this, exp.Literal) and node.expression is not None:
        base = _LOGARITHMS.get(node.this.name)
        return exp.Anonymous(this=base, expressions=[node.expression]) if base else None
    return None
