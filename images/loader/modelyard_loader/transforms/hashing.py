"""A hash of seed and key that no engine changes: their MD5 as a whole number, the least significant byte first."""

from __future__ import annotations

from sqlglot import exp

from modelyard_loader.transforms.relation import Relation, call, column_ref

HASHES = 2**128
"""Hashes are less than this."""
_SEPARATOR = "\x1f"


def key_hash(relation: Relation, seed: int) -> exp.Anonymous:
    """Hash of a row, of type UHUGEINT."""
    text: exp.Expr = exp.Literal.string(str(seed))
    for name in relation.key:
        text = exp.DPipe(this=text, expression=exp.Literal.string(_SEPARATOR))
        text = exp.DPipe(this=text, expression=exp.cast(column_ref(name), exp.DType.TEXT))
    return call("md5_number", exp.paren(text))
