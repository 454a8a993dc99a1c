"""text: normal forms of texts, one operation after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.transform_rows import Text, TextOperation
from modelyard_loader.transforms.relation import Made, Relation, call, column_ref
from modelyard_loader.transforms.unicode_forms import NFKC_FUNCTION

_PUNCTUATION = r"[\p{P}$+<=>^`|~]"
_WHITE = r"[\s\p{Z}]+"
_AROUND = r"^[\s\p{Z}]+|[\s\p{Z}]+$"


def _replaced(pattern: str, by: str) -> Callable[[exp.Expr], exp.Expr]:
    words = [exp.Literal.string(word) for word in (pattern, by, "g")]
    return lambda text: call("regexp_replace", text, *(word.copy() for word in words))


_OPERATIONS: Mapping[TextOperation, Callable[[exp.Expr], exp.Expr]] = {
    TextOperation.NFC: lambda text: call("nfc_normalize", text),
    TextOperation.NFKC: lambda text: call(NFKC_FUNCTION, text),
    TextOperation.LOWER: lambda text: call("lower", text),
    TextOperation.REMOVE_PUNCTUATION: _replaced(_PUNCTUATION, ""),
    TextOperation.COLLAPSE_WHITESPACE: _replaced(_WHITE, " "),
    TextOperation.STRIP: _replaced(_AROUND, ""),
}


def normalise_texts(transform: Text, relation: Relation) -> Made:
    """All rows, with the texts as they are after the operations."""
    values: dict[str, exp.Expr] = {}
    for column in relation.find_values(transform.columns, "columns"):
        relation.check_type(column, (ColumnType.TEXT,), "columns", "cast it to Text before")
        text: exp.Expr = column_ref(column.name)
        for operation in transform.operations:
            text = _OPERATIONS[operation](text)
        values[column.name] = text
    return relation.with_values(values)
