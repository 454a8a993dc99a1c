"""The three CustomResourceDefinitions: names, columns, selectable fields and the rules that span an object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from modelyard_api import GROUP, VERSION
from modelyard_api.base import rules
from modelyard_api.crd.schema import Schema, structural_schema
from modelyard_api.labels import NAME_LIMIT
from modelyard_api.v1alpha1 import (
    DatasetSpec,
    DatasetStatus,
    ModelPromotionSpec,
    ModelPromotionStatus,
    TrainingJobFields,
    TrainingJobStatus,
)
from modelyard_api.v1alpha1.training_job import parse_training_job_spec


@dataclass(frozen=True)
class Column:
    """A column of ``kubectl get``."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    """Shown with ``-o wide`` only."""


@dataclass(frozen=True)
class Kind:
    """A kind of the group and what kubectl shows of it."""

    name: str
    plural: str
    short: str
    description: str
    spec: type[BaseModel]
    """All that a spec may hold."""
    read: Callable[[Any], BaseModel]
    """Makes of a spec what it asks for. Raises pydantic's ValidationError."""
    status: type[BaseModel]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...]


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


_AGE = Column("Age", ".metadata.creationTimestamp", "date")

KINDS = (
    Kind(
        name="Dataset",
        plural="datasets",
        short="mds",
        description="Rows from one source and their declared, content-addressed versions.",
        spec=DatasetSpec,
        read=DatasetSpec.model_validate,
        status=DatasetStatus,
        columns=(
            Column("Ready", _condition("Ready", "status")),
            Column("Reason", _condition("Ready", "reason")),
            Column("Rows", ".status.load.rows", "integer"),
            Column("Percent", ".status.load.percent"),
            Column("Variants", ".status.summary"),
            Column("Valid", _condition("Valid", "status")),
            Column("Sequence", ".status.load.sequence", "integer", wide=True),
            Column("Rejected", ".status.load.rejected", "integer", wide=True),
            Column("Next", ".status.load.nextTime", wide=True),
            Column("Message", _condition("Ready", "message"), wide=True),
            _AGE,
        ),
        selectable=(".spec.source.builtin.name",),
    ),
    Kind(
        name="TrainingJob",
        plural="trainingjobs",
        short="mtj",
        description="One model, trained once on one version of a Dataset, tracked and registered.",
        spec=TrainingJobFields,
        read=parse_training_job_spec,
        status=TrainingJobStatus,
        columns=(
            Column("Succeeded", _condition("Succeeded", "status")),
            Column("Reason", _condition("Succeeded", "reason")),
            Column("Dataset", ".spec.datasetRef.name"),
            Column("Variant", ".spec.datasetRef.variant"),
            Column("Metric", ".status.summary"),
            Column("Model", ".status.model.name"),
            Column("Version", ".status.model.version"),
            Column("Attempt", ".status.attempt", "integer", wide=True),
            Column("Run", ".status.run.id", wide=True),
            Column("Message", _condition("Succeeded", "message"), wide=True),
            _AGE,
        ),
        selectable=(".spec.datasetRef.name", ".spec.datasetRef.variant", ".spec.register.modelName"),
    ),
    Kind(
        name="ModelPromotion",
        plural="modelpromotions",
        short="mpr",
        description="The version of a model that is in charge of a stage, and its server.",
        spec=ModelPromotionSpec,
        read=ModelPromotionSpec.model_validate,
        status=ModelPromotionStatus,
        columns=(
            Column("Ready", _condition("Ready", "status")),
            Column("Reason", _condition("Ready", "reason")),
            Column("Model", ".spec.modelName"),
            Column("Stage", ".spec.stage"),
            Column("Champion", ".status.champion.version"),
            Column("Compiled", ".status.champion.compiled", "boolean", wide=True),
            Column("Candidate", ".status.candidate.version", wide=True),
            Column("URL", ".status.url", wide=True),
            Column("Message", _condition("Ready", "message"), wide=True),
            _AGE,
        ),
        selectable=(".spec.modelName", ".spec.stage"),
    ),
)

_NAME_RULES = rules(
    (
        f"size(self.metadata.name) <= {NAME_LIMIT}",
        f"metadata.name must have at most {NAME_LIMIT} characters, so that names of children fit",
    ),
    (
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must be a DNS label that begins with a letter (RFC 1035)",
    ),
)


def custom_resource_definition(kind: Kind) -> dict[str, Any]:
    """The CRD of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["modelyard"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": _object_schema(kind)},
                    "additionalPrinterColumns": [_printer_column(column) for column in kind.columns],
                    "selectableFields": [{"jsonPath": path} for path in kind.selectable],
                }
            ],
        },
    }


def _object_schema(kind: Kind) -> Schema:
    spec, status = structural_schema(kind.spec), structural_schema(kind.status)
    conditions = status["properties"]["conditions"]
    conditions.update({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]})
    status.pop("required", None)
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of the schema of this object."},
            "kind": {"type": "string", "description": "Kind of this object."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        **_NAME_RULES,
    }


def _printer_column(column: Column) -> dict[str, Any]:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return {**shown, "priority": 1} if column.wide else shown
