"""Judges the query of an ``sql`` source before any server sees it."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from modelyard_runtime.errors import InvalidSpecError

FIELD = "spec.source.sql.query"
_REMEDY = "write one SELECT; WITH, joins, UNION and ORDER BY may be part of it"
_WRITES: dict[type[exp.Expression], str] = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.Create: "CREATE",
    exp.Drop: "DROP",
    exp.Alter: "ALTER",
    exp.TruncateTable: "TRUNCATE",
    exp.Copy: "COPY",
    exp.Command: "a command",
    exp.Set: "SET",
    exp.Transaction: "BEGIN",
    exp.Commit: "COMMIT",
    exp.Rollback: "ROLLBACK",
    exp.Into: "INTO",
    exp.Lock: "FOR UPDATE",
}
_SIDE_EFFECTS = (
    "pg_",
    "lo_",
    "dblink",
    "set_config",
    "nextval",
    "setval",
    "currval",
    "query_to_xml",
    "txid_",
)
_HARMLESS = frozenset({"pg_typeof", "pg_column_size"})


def judged(query: str) -> str:
    """The query without a semicolon at its end. Raises InvalidSpecError for anything but one SELECT that only reads."""
    try:
        statements = [each for each in sqlglot.parse(query, dialect="postgres") if each is not None]
    except SqlglotError as error:
        raise _refused(query, f"cannot be read as SQL ({_first_line(error)})") from error
    if len(statements) != 1:
        raise _refused(query, f"is {len(statements)} statements instead of one")
    statement = statements[0]
    for node in statement.walk():
        for kind, name in _WRITES.items():
            if isinstance(node, kind):
                raise _refused(query, f"holds {name}, and a source is only read")
        if isinstance(node, exp.Func):
            _check_function(query, node)
    if not isinstance(statement, exp.Query):
        raise _refused(query, f"is no SELECT but {statement.key.upper()}")
    return query.strip().rstrip(";").rstrip()


def _check_function(query: str, node: exp.Func) -> None:
    name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
    if name.startswith(_SIDE_EFFECTS) and name not in _HARMLESS:
        raise _refused(query, f"calls {name}, which reaches beyond the rows of tables")


def _refused(query: str, problem: str) -> InvalidSpecError:
    return InvalidSpecError(problem, field=FIELD, value=" ".join(query.split()), remedy=_REMEDY)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(". ")
