"""Dataset: where rows come from, and which versions of them exist."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from modelyard_api.base import ApiModel, OneOf, StatusModel, immutable
from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.common import ColumnName, JobOptions, ObjectMeta, Percent, ResourceStatus
from modelyard_api.v1alpha1.transforms import VARIANT_RULES, Variant


class BuiltinName(StrEnum):
    """Data sets that are shipped with the loader image."""

    CALIFORNIA_HOUSING = "california-housing"
    PRODUCT_TITLES = "product-titles"
    IRIS = "iris"
    WINE = "wine"
    BREAST_CANCER = "breast-cancer"
    DIABETES = "diabetes"
    DIGITS = "digits"


class BuiltinSource(ApiModel):
    """A data set of the loader image, so that a first run needs no internet."""

    name: BuiltinName
    """Which one."""


class Source(OneOf):
    """Where the rows come from."""

    builtin: BuiltinSource | None = None
    """A data set shipped with the loader image."""


class Split(ApiModel):
    """Which rows are held out for the final test: by hash of the key, so that it is stable while rows arrive."""

    test_percent: Percent = "20"
    """Share of rows held out, in percent."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 42
    """Seed of the hash."""


class DatasetSpec(JobOptions):
    """What a Dataset asks for."""

    model_config = ConfigDict(json_schema_extra=immutable("Dataset", "source", "primaryKey"))

    source: Source
    """Where the rows come from; exactly one kind of source."""
    primary_key: Annotated[list[ColumnName], Field(max_length=8)] = ["row"]
    """Columns that name a row. One column that the source does not have is filled with the row's number, from 1."""
    variants: Annotated[
        list[Variant], Field(min_length=1, max_length=20, json_schema_extra=VARIANT_RULES)
    ] = [Variant(name="v1")]
    """Versions of the data, each from an earlier one."""
    split: Split = Split()
    """Rows held out for the final test."""

    @model_validator(mode="after")
    def _from_an_earlier_variant(self) -> DatasetSpec:
        seen: set[str] = set()
        for variant in self.variants:
            if variant.from_ is not None and variant.from_ not in seen:
                raise ValueError(
                    f"variants: {variant.name} starts from {variant.from_}, which is not an earlier variant"
                )
            seen.add(variant.name)
        return self

    def recipe(self) -> str:
        """Identity of what is asked for, as hex; how its Job runs is not part of it."""
        wire = self.to_wire()
        wanted = {key: wire.get(key) for key in ("source", "primaryKey", "variants", "split")}
        return canonical_digest(wanted).removeprefix("sha256:")[:32]


class LoadStatus(StatusModel):
    """How far loading is."""

    sequence: int = 0
    """Number of the last load."""
    rows: int = 0
    """Rows in the working copy."""
    rejected: int = 0
    """Rows refused so far."""
    source_digest: Annotated[str, Field(max_length=71)] | None = None
    """SHA-256 of the source as it was read."""
    audit_head: Annotated[str, Field(max_length=71)] | None = None
    """Hash of the last row of the audit chain."""


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


class DatasetStatus(ResourceStatus):
    """What was seen of a Dataset."""

    load: LoadStatus | None = None
    """How far loading is."""
    variants: Annotated[list[VariantStatus], Field(max_length=20)] = []
    """Latest version of each variant."""
    summary: Annotated[str, Field(max_length=512)] | None = None
    """Variants at a glance: name, rows and columns of each."""
    job_name: Annotated[str, Field(max_length=63)] | None = None
    """Job of the last step."""
    recipe: Annotated[str, Field(max_length=64)] | None = None
    """Identity of the source, key, variants and split that this status is about."""
    attempt: int = 0
    """Attempts made for this recipe."""


class Dataset(StatusModel):
    """Rows from one source and their declared versions."""

    metadata: ObjectMeta
    spec: DatasetSpec
    status: DatasetStatus = DatasetStatus()
