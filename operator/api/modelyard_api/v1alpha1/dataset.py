"""Dataset: where rows come from, and which versions of them exist."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from modelyard_api.base import ApiModel, StatusModel, immutable, rules
from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.common import ColumnName, JobOptions, ObjectMeta, Percent
from modelyard_api.v1alpha1.dataset_status import DatasetStatus
from modelyard_api.v1alpha1.loading import ColumnSpec, LoadPlan
from modelyard_api.v1alpha1.sources import Source
from modelyard_api.v1alpha1.transforms import VARIANT_RULES, Variant
from modelyard_api.v1alpha1.validation import Rule


class Split(ApiModel):
    """Which rows are held out for the final test: by hash of the key, so that it is stable while rows arrive."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.stratifyBy), has(self.groupBy), has(self.timeColumn)].filter(o, o).size() <= 1",
                "only one of split.stratifyBy, split.groupBy and split.timeColumn may be set",
            )
        )
    )

    test_percent: Percent = "20"
    """Share of rows held out, in percent."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 42
    """Seed of the hash."""
    stratify_by: ColumnName | None = None
    """Column whose values each give the same share to the test part."""
    group_by: ColumnName | None = None
    """Column whose equal values stay on one side."""
    time_column: ColumnName | None = None
    """Column by which the last rows are held out instead."""

    @model_validator(mode="after")
    def _one_option(self) -> Split:
        if sum(option is not None for option in (self.stratify_by, self.group_by, self.time_column)) > 1:
            raise ValueError("split: only one of stratifyBy, groupBy and timeColumn may be set")
        return self

    def identity(self) -> str:
        """Tells two ways to hold rows out apart, in 16 characters."""
        return canonical_digest(self.to_wire()).removeprefix("sha256:")[:16]


class Retention(ApiModel):
    """Which versions are kept, besides those that a run, a model, a promotion or a TrainingJob refers to."""

    keep_last: Annotated[int, Field(ge=1, le=100000)] = 10
    """Versions of each variant that are kept in any case."""


class Verify(ApiModel):
    """Each version is built a second time with other settings and compared."""


_RECIPE = ("source", "primaryKey", "columns", "variants", "split", "validation")


class DatasetSpec(JobOptions):
    """What a Dataset asks for."""

    model_config = ConfigDict(json_schema_extra=immutable("Dataset", "source", "primaryKey"))

    backoff_limit: Annotated[int, Field(ge=0, le=10)] = 2
    """Without effect here: outages and evictions are tried again for as long as they last, other failures after an edit."""
    source: Source
    """Where the rows come from; exactly one kind of source."""
    primary_key: Annotated[list[ColumnName], Field(max_length=8)] = ["row"]
    """Columns that name a row. One column that the source does not have is filled with the row's number, from 1."""
    columns: Annotated[list[ColumnSpec], Field(max_length=1000)] = []
    """Columns and their types; those of the first load, inferred and then kept, if empty. An edit changes loaded rows too."""
    load: LoadPlan = LoadPlan()
    """How much is loaded when."""
    variants: Annotated[
        list[Variant], Field(min_length=1, max_length=20, json_schema_extra=VARIANT_RULES)
    ] = [Variant(name="v1")]
    """Versions of the data, each from an earlier one."""
    split: Split = Split()
    """Rows held out for the final test."""
    validation: Annotated[list[Rule], Field(max_length=100)] = []
    """Rules about the data."""
    retention: Retention | None = None
    """Which versions are kept; all if unset."""
    verify: Verify | None = None
    """Set, every version is built twice and compared: condition Deterministic."""

    @model_validator(mode="after")
    def _from_an_earlier_variant(self) -> DatasetSpec:
        seen: set[str] = set()
        for variant in self.variants:
            if variant.from_ is not None and variant.from_ not in seen:
                raise ValueError(
                    f"variants: {variant.name} starts from {variant.from_}, which is not an earlier variant"
                )
            later = next((name for name in variant.joined if name not in seen), None)
            if later is not None:
                raise ValueError(f"variants: {variant.name} joins {later}, which is not an earlier variant")
            seen.add(variant.name)
        return self

    def recipe(self) -> str:
        """Identity of what is asked for, as hex; how its Job runs is not part of it."""
        wire = self.to_wire()
        wanted = {key: wire.get(key) for key in _RECIPE}
        return canonical_digest(wanted).removeprefix("sha256:")[:32]


class Dataset(StatusModel):
    """Rows from one source and their declared versions."""

    metadata: ObjectMeta
    spec: DatasetSpec
    status: DatasetStatus = DatasetStatus()
