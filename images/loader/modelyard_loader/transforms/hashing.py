"""A hash of seed and key that no engine changes: the first eight bytes of an MD5, the least significant first."""

from __future__ import annotations

from sqlglot import exp

from modelyard_loader.transforms.relation import Relation, call, column_ref

_SEPARATOR = "\x1f"


def key_hash(relation: Relation, seed: int, table: str | None = None) -> exp.Anonymous:
    """Hash of a row as an unsigned whole number of 64 bits."""
    text: exp.Expr = exp.Literal.string(str(seed))
    for name in relation.key:
        text = exp.DPipe(this=text, expression=exp.Literal.string(_SEPARATOR))
        text = exp.DPipe(this=text, expression=exp.cast(column_ref(name, table), exp.DType.TEXT))
    return call("md5_number_upper", exp.paren(text))
