"""Versions of rows that a test has at hand: the record on S3 without a source and without Postgres."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from modelyard_api.contract.manifest import Manifest, manifest_key
from modelyard_api.contract.outcome import VariantOutcome
from modelyard_api.contract.steps import LoadStep, Owner, PostgresEndpoint
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.sources import BuiltinName, BuiltinSource, Source
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_loader.record.building import Loaded
from modelyard_loader.record.files import write_batch
from modelyard_loader.record.loads import PlacedPart
from modelyard_loader.record.planning import PlannedVariant, plan
from modelyard_loader.record.variants import Publisher
from modelyard_loader.transforms.engine import Engine
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.digest import ContentAccumulator, in_key_order
from modelyard_runtime.manifests import read_manifest
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import Version, load_version

FIRST_LOAD = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Recorded:
    """A Dataset whose loads are tables."""

    store: ObjectStore
    variants: Sequence[object]
    name: str = "houses"
    key: tuple[str, ...] = ("id",)
    split: Split = field(default_factory=Split)
    uid: str = "11111111-0000-4000-8000-000000000000"
    parts: list[PlacedPart] = field(default_factory=list)
    appended_since: int = 1
    columns: pa.Schema | None = None
    sums: ContentAccumulator | None = None

    def add(self, rows: pa.Table, sequence: int) -> None:
        """Records the rows of a load."""
        ordered = in_key_order(rows, self.key)
        if self.sums is None:
            self.sums = ContentAccumulator(canonical_columns(rows.schema), self.key)
        self.columns = rows.schema
        self.sums.add(rows)
        self.parts.append(PlacedPart(sequence=sequence, part=write_batch(self.store, self.name, ordered)))

    def step(self) -> LoadStep:
        """What the operator would ask for."""
        return LoadStep(
            owner=Owner(project=self.store.endpoint.prefix, name=self.name, uid=self.uid, generation=1),
            source=Source(builtin=BuiltinSource(name=BuiltinName.IRIS)),
            primary_key=list(self.key),
            variants=[Variant.model_validate(each) for each in self.variants],
            split=self.split,
            postgres=PostgresEndpoint(host="127.0.0.1", port=1, schema_="demo"),
            s3=self.store.endpoint,
        )

    def loaded(self, sequence: int) -> Loaded:
        """What the variants start from."""
        assert self.columns is not None
        assert self.sums is not None
        return Loaded(
            sequence=sequence,
            audit_head=f"sha256:{sequence:064d}",
            loaded_at=FIRST_LOAD + timedelta(days=sequence),
            key=self.key,
            columns=tuple(canonical_columns(self.columns)),
            parts=tuple(self.parts),
            appended_since=self.appended_since,
            sums=self.sums.state(),
        )

    def planned(self) -> list[PlannedVariant]:
        """The variants, judged."""
        assert self.columns is not None
        with closing(Engine(self.columns.empty_table())) as engine:
            return plan(self.step().variants, canonical_columns(self.columns), self.key, engine, self.split)

    def publisher(self, sequence: int, store: ObjectStore | None = None) -> Publisher:
        """A publisher, perhaps over a store that fails."""
        return Publisher(self.step(), store or self.store, self.loaded(sequence), planned=self.planned())

    def publish(self, sequence: int, store: ObjectStore | None = None) -> dict[str, VariantOutcome]:
        """Publishes every variant after a load."""
        publisher = self.publisher(sequence, store)
        built = [(each, publisher.build(each)) for each in self.planned()]
        return {each.variant.name: publisher.publish(each, content) for each, content in built}

    def load(self, rows: pa.Table, sequence: int) -> dict[str, VariantOutcome]:
        """Records a load and publishes it."""
        self.add(rows, sequence)
        return self.publish(sequence)

    def manifest(self, outcome: VariantOutcome) -> Manifest:
        """Manifest of a published version."""
        return read_manifest(self.store, self.uri(outcome))

    def version(self, outcome: VariantOutcome) -> Version:
        """A published version as training reads it."""
        return load_version(self.uri(outcome), self.store)

    def uri(self, outcome: VariantOutcome) -> str:
        """Address of a published version's manifest."""
        key = manifest_key(self.store.endpoint.prefix, self.name, outcome.name, outcome.manifest)
        return self.store.uri(key)

    def elsewhere(self, store: ObjectStore) -> "Recorded":
        """The same Dataset without a load, in another project."""
        return replace(self, store=store, parts=[], sums=None)


def portions(rows: pa.Table, first: int, others: int) -> Iterator[pa.Table]:
    """A first load and further ones that share the rest."""
    yield rows.slice(0, first)
    size = -(-(rows.num_rows - first) // others)
    for start in range(first, rows.num_rows, size):
        yield rows.slice(start, size)
