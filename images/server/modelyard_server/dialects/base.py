"""What a dialect must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from modelyard_server.errors import RequestError
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import ServedModel
from modelyard_server.signature import Reader, Rows


@dataclass(slots=True)
class Query:
    """A request, read."""

    rows: Rows
    probabilities: bool = False
    """Whether the answer shall hold them, where the model knows any."""
    id: str | None = None
    """Name of the request, given back with the answer."""
    outputs: tuple[str, ...] | None = None
    """Outputs that are asked for; all where none is named."""


class Dialect(Protocol):
    """Reads documents into queries and writes answers and errors as documents."""

    name: str

    def read(self, document: Any, reader: Reader) -> Query:  # noqa: ANN401  any JSON
        """The query of a parsed request. Raises RequestError for what the dialect or the signature does not allow."""
        ...

    def write(self, query: Query, answer: Answer, served: ServedModel) -> dict[str, Any]:
        """The document that answers a query."""
        ...

    def refuse(self, error: RequestError) -> dict[str, Any]:
        """The document that explains an error."""
        ...


def demand_object(document: Any, example: str) -> dict[str, Any]:  # noqa: ANN401
    """The document as a JSON object. Raises RequestError with an example otherwise."""
    if not isinstance(document, dict):
        raise RequestError(f"the body must be a JSON object, for example {example}")
    return document


def refuse_unknown(document: dict[str, Any], known: frozenset[str], where: str) -> None:
    """Raises RequestError for a field that the dialect does not have."""
    if known.issuperset(document):
        return
    for name in document:
        if name not in known:
            raise RequestError(f'{where} has no field "{name[:60]}"; it has {", ".join(sorted(known))}')
