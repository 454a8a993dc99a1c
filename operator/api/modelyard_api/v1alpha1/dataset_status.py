"""What the operator writes back into a Dataset. Histories are in Postgres and on S3; here is the latest of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from modelyard_api.base import StatusModel
from modelyard_api.v1alpha1.common import ColumnType, ResourceStatus
from modelyard_api.v1alpha1.validation import Severity

COLUMNS_SHOWN = 40
"""Columns of which the status tells type and missing values; the manifest has all."""
CLASSES_SHOWN = 12


class LoadProgress(StatusModel):
    """How far the step that runs is."""

    phase: Annotated[str, Field(max_length=63)]
    """What it does: Reading, Loading, Building, Validating, Publishing."""
    rows: int = 0
    """Rows done in this phase."""
    total_rows: int | None = None
    """Rows of this phase, where known."""
    percent: Annotated[str, Field(max_length=8)] | None = None
    """Share of this phase that is done."""
    rows_per_second: int | None = None
    """Speed."""
    estimated_seconds_remaining: int | None = None
    """Time to the end of this phase at this speed."""


class ParentVersion(StatusModel):
    """The version of another Dataset that rows were loaded from."""

    variant: Annotated[str, Field(max_length=30)]
    """Variant."""
    digest: Annotated[str, Field(max_length=71)]
    """Digest of the content."""
    uri: Annotated[str, Field(max_length=1024)]
    """Address of the manifest."""


class LoadStatus(StatusModel):
    """How far loading is."""

    sequence: int = 0
    """Number of the last load."""
    rows: int = 0
    """Rows in the working copy."""
    source_rows: int | None = None
    """Rows of the source, as last read."""
    percent: Annotated[str, Field(max_length=10)] | None = None
    """Share of the source's rows that was asked for up to the last load."""
    rejected: int = 0
    """Rows set aside so far."""
    last_batch: Annotated[str, Field(max_length=80)] | None = None
    """Name of the last batch."""
    last_time: datetime | None = None
    """When the last step ended."""
    published_time: datetime | None = None
    """When versions were last published that hold other rows or follow another recipe."""
    next_time: datetime | None = None
    """When the next step is due; none where nothing is due by itself."""
    duration_seconds: Annotated[str, Field(max_length=16)] | None = None
    """Time that the last step took."""
    source_digest: Annotated[str, Field(max_length=71)] | None = None
    """SHA-256 of the source as it was read."""
    audit_head: Annotated[str, Field(max_length=71)] | None = None
    """Hash of the last row of the audit chain."""
    handled_request: Annotated[str, Field(max_length=128)] | None = None
    """Value of the annotation ``modelyard.dev/load-now`` that was acted on last."""
    recipe: Annotated[str, Field(max_length=64)] | None = None
    """Identity of what the last load was asked for."""
    parent: ParentVersion | None = None
    """Version of the Dataset that is the source, as it was last read."""
    progress: LoadProgress | None = None
    """How far the step that runs is."""


class ColumnStatus(StatusModel):
    """A column of the loaded rows; its type stays that of the first load until an edit of ``spec.columns``."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the column."""
    type: ColumnType
    """Canonical type."""
    missing: int = 0
    """Rows without a value."""


class RuleStatus(StatusModel):
    """A rule that was broken by the last version."""

    rule: Annotated[str, Field(max_length=128)]
    """Name of the rule."""
    variant: Annotated[str, Field(max_length=30)] = ""
    """Variant that it is about."""
    severity: Severity
    """What it does."""
    observed: Annotated[str, Field(max_length=64)]
    """What was counted."""
    required: Annotated[str, Field(max_length=96)]
    """What is asked for."""


class ValidationStatus(StatusModel):
    """What the rules said about the last version."""

    sequence: int
    """Load that was judged."""
    passed: int = 0
    """Rules that hold."""
    warnings: int = 0
    """Rules of severity Warning that are broken."""
    errors: int = 0
    """Rules of severity Error that are broken."""
    broken: Annotated[list[RuleStatus], Field(max_length=10)] = []
    """The first broken rules."""


class ClassCount(StatusModel):
    """Rows of a class."""

    name: Annotated[str, Field(max_length=63)]
    """Value of the label column."""
    rows: int
    """Rows."""


class VariantStatus(StatusModel):
    """The latest version of a variant."""

    name: Annotated[str, Field(max_length=30)]
    """Name of the variant."""
    sequence: int
    """Number of the load that it holds."""
    rows: int
    """Rows."""
    columns: int
    """Columns, the key not counted."""
    digest: Annotated[str, Field(max_length=71)]
    """Digest of the content."""
    uri: Annotated[str, Field(max_length=1024)]
    """Address of the manifest."""
    split: Annotated[str, Field(max_length=16)] | None = None
    """Identity of the split that it was published with, where known."""
    classes: Annotated[list[ClassCount], Field(max_length=CLASSES_SHOWN)] = []
    """Rows of each class, where a variant is balanced or split by a label; the largest first."""


class DatasetStatus(ResourceStatus):
    """What was seen of a Dataset."""

    load: LoadStatus | None = None
    """How far loading is."""
    columns: Annotated[list[ColumnStatus], Field(max_length=COLUMNS_SHOWN)] = []
    """The first columns of the loaded rows."""
    variants: Annotated[list[VariantStatus], Field(max_length=20)] = []
    """Latest version of each variant."""
    validation: ValidationStatus | None = None
    """What the rules said."""
    summary: Annotated[str, Field(max_length=512)] | None = None
    """Variants at a glance: name, rows and columns of each."""
    job_name: Annotated[str, Field(max_length=63)] | None = None
    """Job of the last step; none where the warm loader carried it out."""
    recipe: Annotated[str, Field(max_length=64)] | None = None
    """Identity of the source, key, variants, split and rules that this status is about."""
    attempt: int = 0
    """Attempts made for the present step."""
    steps: int = 0
    """Steps of every kind that came to an end; part of the names of Jobs."""
    verified: Annotated[str, Field(max_length=128)] | None = None
    """What was last rebuilt to prove that the versions are deterministic: recipe, sequence and request."""
    swept: Annotated[str, Field(max_length=128)] | None = None
    """Sequence and request that retention was last carried out for."""
    rebuilt: Annotated[str, Field(max_length=128)] | None = None
    """Request that the working copy was last made again for."""
