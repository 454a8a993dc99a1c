"""Judges a user's query: one SELECT over the table ``rows``, made of what is on the list and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from modelyard_loader.transforms.expressions import FUNCTION_NAMES, Judge, rewritten
from modelyard_loader.transforms.relation import Relation, column_ref, named

TABLE = "rows"

_CLAUSES = frozenset({"expressions", "from_", "where", "group", "having"})
_STRUCTURE: frozenset[type[exp.Expr]] = frozenset({
    exp.Select, exp.From, exp.Where, exp.Group, exp.Having, exp.Alias, exp.Star, exp.Distinct,
})  # fmt: skip
_SUMS: dict[type[exp.Expr], str] = {
    exp.Sum: "sum", exp.Avg: "avg", exp.Stddev: "stddev", exp.StddevPop: "stddev_pop",
    exp.StddevSamp: "stddev_samp", exp.Variance: "variance", exp.VariancePop: "var_pop",
}  # fmt: skip
"""Aggregates whose last digit depends on the order of the rows."""
_AGGREGATES: dict[type[exp.Expr], str] = {
    **_SUMS, exp.Count: "count", exp.Min: "min", exp.Max: "max", exp.Median: "median",
    exp.LogicalAnd: "bool_and", exp.LogicalOr: "bool_or",
}  # fmt: skip
AGGREGATE_NAMES = tuple(sorted(_AGGREGATES.values()))


@dataclass(frozen=True)
class Query:
    """A query that may be run."""

    select: exp.Select

    def over(self, source: exp.Expr) -> exp.Select:
        """The query over a table or a subquery in place of ``rows``."""
        return self.select.copy().from_(source)


def judged_query(text: str, relation: Relation) -> Query:
    """The query with its columns checked and quoted. Raises InvalidSpecError that names what does not fit."""
    names = tuple(sorted((*FUNCTION_NAMES, *AGGREGATE_NAMES)))
    judge = Judge(text, relation, "query", "query", _STRUCTURE | _AGGREGATES.keys(), names)
    tree = judge.parsed()
    if not isinstance(tree, exp.Select):
        raise judge.refusal("is not a SELECT", "write SELECT … FROM rows")
    _check_clauses(tree, judge)
    for node in list(tree.walk()):
        _check(node, tree, judge)
    tree.set("expressions", _expanded(tree, relation))
    rewritten(tree)
    return Query(_in_key_order(tree, relation))


def _check(node: exp.Expr, tree: exp.Select, judge: Judge) -> None:
    if isinstance(node, exp.Table):
        _check_table(node, judge)
    elif isinstance(node, exp.Select) and node is not tree:
        raise judge.refusal("holds a second SELECT", "derive columns or aggregate in a step before")
    elif isinstance(node, exp.Distinct) and not isinstance(node.parent, exp.Count):
        raise judge.refusal("DISTINCT is allowed in count alone", "use the transform dedupe")
    elif isinstance(node, exp.Star) and (
        not isinstance(node.parent, (exp.Count, exp.Select)) or any(node.args.values())
    ):
        raise judge.refusal("STAR is allowed by itself and in count alone", "name the columns")
    else:
        judge.check(node)


def _check_clauses(tree: exp.Select, judge: Judge) -> None:
    for clause, value in tree.args.items():
        if value and clause not in _CLAUSES:
            raise judge.refusal(
                f"{clause.strip('_').upper()} is not allowed",
                "use SELECT, FROM rows, WHERE, GROUP BY and HAVING; other transforms do the rest",
            )
    group = tree.args.get("group")
    for clause, value in (group.args if group is not None else {}).items():
        if value and clause != "expressions":
            raise judge.refusal(f"GROUP BY {clause.upper()} is not allowed", "name the columns")
    if tree.args.get("from_") is None:
        raise judge.refusal("has no FROM", "write SELECT … FROM rows")


def _check_table(node: exp.Table, judge: Judge) -> None:
    extra = [clause for clause, value in node.args.items() if value and clause != "this"]
    if extra or not isinstance(node.this, exp.Identifier) or node.name.lower() != TABLE:
        raise judge.refusal(
            "reads something else than the table rows", "write FROM rows, without another name"
        )


def _expanded(tree: exp.Select, relation: Relation) -> list[exp.Expr]:
    """The columns of the answer, with ``*`` spelled out."""
    columns: list[exp.Expr] = []
    for each in tree.expressions:
        if isinstance(each, exp.Star):
            columns += [exp.column(exp.to_identifier(name, quoted=True)) for name in relation.names]
        elif isinstance(each, exp.Alias):
            columns.append(named(each.this, each.alias))
        else:
            columns.append(each)
    return columns


def _in_key_order(tree: exp.Select, relation: Relation) -> exp.Select:
    for node in list(tree.find_all(*_SUMS)):
        order = [exp.Ordered(this=column_ref(name)) for name in relation.key]
        node.set("this", exp.Order(this=node.this, expressions=order))
    return tree
