"""The catalog's data: classes, their parameters and what each parameter accepts."""

from __future__ import annotations

from enum import StrEnum
from functools import cache, cached_property
from importlib import resources
from typing import Literal

from modelyard_api.base import StatusModel
from modelyard_api.v1alpha1.common import Json

CATALOG_FILE = "catalog.json"


class Kind(StrEnum):
    """What a class can stand for in a pipeline."""

    TRANSFORMER = "transformer"
    REGRESSOR = "regressor"
    CLASSIFIER = "classifier"
    SAMPLER = "sampler"


class ValueType(StrEnum):
    """JSON types of values; Float is a number that is no integer, Any stands where no constraint is published."""

    NULL = "null"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    FLOAT = "float"
    STRING = "string"
    LIST = "list"
    TUPLE = "tuple"
    OBJECT = "object"
    ESTIMATOR = "estimator"
    """A document of class and params."""
    ESTIMATORS = "estimators"
    """A list of such documents, each with a name."""
    FUNCTION = "function"
    """The name of one of the functions in ``enum``, which are NumPy's."""
    ANY = "any"


class Accept(StatusModel):
    """One alternative of what a parameter accepts. Limits are those of JSON Schema."""

    type: ValueType
    enum: list[Json] | None = None
    """The only values; any of the type within the limits if unset."""
    minimum: int | float | None = None
    exclusive_minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_maximum: int | float | None = None
    kinds: list[Kind] = []
    """What an estimator that stands here must be one of."""
    weights: bool = False
    """Whether an estimator that stands here is given weights of rows."""


class Parameter(StatusModel):
    """A keyword argument of a class."""

    name: str
    default: str | None = None
    """Python text of the default; None where the class demands a value."""
    accepts: list[Accept]
    """Alternatives; empty where no value that a resource can hold is accepted."""


class CatalogClass(StatusModel):
    """A class that pipelines may name."""

    name: str
    module: str
    """Public module that exports it."""
    kinds: list[Kind]
    input: Literal["table", "text"] = "table"
    """``text`` takes one column of documents instead of a table."""
    weights: bool = False
    """Whether its ``fit`` takes a weight for each row, provided that the estimators in it do."""
    early_stopping: bool = False
    """Whether it adds trees one after another, so that more can stop to help."""
    exclusive: list[list[str]] = []
    """Groups of parameters of which one at most may be given."""
    parameters: list[Parameter]

    @property
    def full_name(self) -> str:
        """Public module and name."""
        return f"{self.module}.{self.name}"

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of this name."""
        return self._parameters.get(name)

    @cached_property
    def _parameters(self) -> dict[str, Parameter]:
        return {known.name: known for known in self.parameters}


class Catalog(StatusModel):
    """All that pipelines may name, made from the libraries of the trainer image."""

    libraries: dict[str, str]
    """Library to version that the catalog was made from."""
    classes: list[CatalogClass]
    refused: dict[str, str]
    """Classes that exist but are not taken, and why."""

    def find(self, name: str) -> CatalogClass | None:
        """The class of this name, or of this public module and name; None where several are named so."""
        found = self._classes.get(name, [])
        return found[0] if len(found) == 1 else None

    def ambiguous(self, name: str) -> list[str]:
        """Full names of the classes that share this name; empty where it names one or none."""
        found = self._classes.get(name, [])
        return [known.full_name for known in found] if len(found) > 1 else []

    @cached_property
    def _classes(self) -> dict[str, list[CatalogClass]]:
        """By name, and by module and name."""
        found: dict[str, list[CatalogClass]] = {}
        for known in self.classes:
            for name in (known.name, known.full_name):
                found.setdefault(name, []).append(known)
        return found

    def names(self, kind: Kind) -> list[str]:
        """Names of the classes of a kind."""
        return [known.name for known in self.classes if kind in known.kinds]


@cache
def load_catalog() -> Catalog:
    """The catalog that is shipped with this package."""
    text = resources.files("modelyard_api.catalog").joinpath(CATALOG_FILE).read_text("utf-8")
    return Catalog.model_validate_json(text)
