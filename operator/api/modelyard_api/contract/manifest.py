"""The manifest: one version of a variant as a document on S3, named by its own content.

Training reads manifests only, never live tables, so a version can be read again when Postgres is gone.
"""

from __future__ import annotations

from datetime import datetime

from modelyard_api.base import StatusModel
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.dataset import Split


class Column(StatusModel):
    """A column of a version. Parquet holds Integer as int64, Number as float64, Boolean as bool, Text as UTF-8."""

    name: str
    type: ColumnType
    nullable: bool = True


class Part(StatusModel):
    """One Parquet file."""

    uri: str
    sha256: str
    """Digest of the file's bytes, bare hex."""
    rows: int
    bytes: int


class ColumnStatistics(StatusModel):
    """What the values of a column are like. Numbers are finite; those that are not are left out and counted."""

    name: str
    missing: int
    """Nulls and NaNs."""
    infinite: int = 0
    """Infinities of either sign."""
    distinct: int | None = None
    """Different values: exact up to 1,000, else estimated with a standard error of 1.6 %."""
    mean: float | None = None
    deviation: float | None = None
    """Standard deviation; absent where it is so small beside the mean that float64 cannot tell it."""
    minimum: int | float | str | None = None
    """Least value; a text is cut at 120 characters."""
    maximum: int | float | str | None = None
    """Greatest value, like ``minimum``."""
    quantiles: list[float] = []
    """At 1, 5, 25, 50, 75, 95 and 99 percent, within 1 % of the value."""
    edges: list[float] = []
    """Borders of the histogram, one more than ``counts``."""
    counts: list[int] = []
    """Rows of each interval."""
    values: dict[str, int] = {}
    """Rows of each value, where there are at most 20."""


class Recipe(StatusModel):
    """What was asked for: the identity by which a build is known before it is made."""

    digest: str
    """SHA-256 of the canonical JSON of engine, parent recipe and transforms, bare hex."""
    engine: str
    """Engine and its version."""
    parent: str | None = None
    """Variant that this one starts from."""


class SplitBorder(StatusModel):
    """Where a split that looks at all loaded rows draws its line; see ``modelyard_runtime.split``."""

    classes: dict[str, str] = {}
    """For stratifyBy: JSON of a class, and the greatest hash of it that is held out, as 16 hex digits."""
    time: int | float | str | None = None
    """For timeColumn: rows later than this are held out."""
    hash: str | None = None
    """For timeColumn: of the rows at that very time those with this hash or a greater one."""


class Learned(StatusModel):
    """What a transform found in the training part and used for all rows."""

    step: str
    """Where it stands in the spec, for example ``spec.variants v2.transforms[0].fillMissing``."""
    column: str
    values: list[bool | int | float | str]
    """The value that was filled in, or the borders of the intervals in ascending order.

    An infinite one is a text; texts are cut at 1,000 characters.
    """


class Manifest(StatusModel):
    """A version of a variant."""

    schema_version: int = 2
    project: str
    dataset: str
    variant: str
    sequence: int
    key: list[str]
    """Columns that name a row; part of the files, not counted as columns of the version."""
    columns: list[Column]
    """All columns in order, the key's first."""
    rows: int
    parts: list[Part]
    recipe: Recipe
    content_digest: str
    """``sha256:…`` over the values; see ``modelyard_runtime.digest``."""
    split: Split
    border: SplitBorder | None = None
    """Where the split draws its line, for options that look at all rows."""
    audit_head: str
    """Head of the audit chain when the version was made."""
    loaded_at: datetime | None = None
    """When the load was committed."""
    origin: list[str] = []
    """Columns that name the row that a row comes from, by which the split is made; the key where empty."""
    statistics: list[ColumnStatistics] = []
    """One entry a column, the key's left out."""
    profile: str | None = None
    """Address of the mergeable sketches behind the statistics."""
    sample: list[dict[str, str | int | float | bool | None]] = []
    """Up to 20 rows, the same ones whatever order they arrived in; a row leaves out what it misses."""
    learned: list[Learned] = []
    """What the transforms from the loaded rows to these ones have learned, in their order.

    What no row depends on, as of a column that is left out afterwards, may be missing.
    """
    label: str | None = None
    """Column whose values are classes, where balance or stratifyBy names one."""


def manifest_key(project_prefix: str, dataset: str, variant: str, sha256: str) -> str:
    """Key of a manifest in the bucket."""
    return f"{project_prefix}/datasets/{dataset}/manifests/{variant}/{sha256}.json"


def manifest_uri(bucket: str, project_prefix: str, dataset: str, variant: str, sha256: str) -> str:
    """Address of a manifest."""
    return f"s3://{bucket}/{manifest_key(project_prefix, dataset, variant, sha256)}"


def version_key(project_prefix: str, dataset: str, uid: str, variant: str, sequence: int, sha256: str) -> str:
    """Key of the empty object that says which manifest a version has; a list of them is the list of versions."""
    return f"{project_prefix}/datasets/{dataset}/versions/{uid}/{variant}/{sequence:06d}-{sha256}"
