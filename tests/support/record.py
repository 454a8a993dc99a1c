"""A Dataset on S3 alone: loads with their record, and versions published from them, as a loader leaves them there."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from modelyard_api.contract.steps import (
    LoadStep,
    Owner,
    PostgresEndpoint,
    Published,
    VerifyStep,
)
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.sources import BuiltinName, BuiltinSource, Source
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_loader.record.building import Loaded
from modelyard_loader.record.files import write_batch
from modelyard_loader.record.loads import LoadContent, LoadRecords, parts_after
from modelyard_loader.record.planning import plan
from modelyard_loader.record.variants import Publisher
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.rows import Rows
from modelyard_loader.working_copy.ledger import GENESIS, LedgerEntry
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.manifests import read_manifest
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.versions import pointed_uri, versions

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_NAME = "rows"
_UID = "33333333-0000-4000-8000-000000000000"


@dataclass
class RecordedDataset:
    """One Dataset whose key is the column ``id``."""

    store: ObjectStore
    variants: Sequence[Variant]
    split: Split = field(default_factory=Split)
    entries: list[LedgerEntry] = field(default_factory=list)

    @property
    def owner(self) -> Owner:
        """Who asks for the steps."""
        return Owner(project=self.store.endpoint.prefix, name=_NAME, uid=_UID, generation=1)

    def load(self, *tables: pa.Table) -> None:
        """Records a load of these files."""
        parts = [write_batch(self.store, _NAME, table) for table in tables]
        number = len(self.entries) + 1
        rows = sum(part.rows for part in parts)
        before = self.entries[-1].total_rows if self.entries else 0
        content = LoadContent(parts=parts, key=["id"], columns=canonical_columns(tables[0].schema))
        moment = _BEGAN + timedelta(hours=number)
        entry = LedgerEntry(
            dataset=_NAME,
            dataset_uid=_UID,
            sequence=number,
            batch_name=f"{_NAME}-{number:06d}",
            percentage="100",
            total_rows=before + rows,
            offered=rows,
            accepted=rows,
            rejected=0,
            source_digest="sha256:0",
            generation=1,
            image="",
            started_at=moment,
            completed_at=moment,
            metadata=content.to_wire(),
        ).sealed(self.entries[-1].hash if self.entries else GENESIS)
        LoadRecords(self.store, _NAME, _UID).write(entry)
        self.entries.append(entry)

    def publish(self) -> list[Published]:
        """Publishes every variant of the last load."""
        entry = self.entries[-1]
        content = LoadContent.of(entry)
        loaded = Loaded(
            sequence=entry.sequence,
            audit_head=entry.hash,
            loaded_at=entry.completed_at,
            key=tuple(content.key),
            columns=tuple(content.columns),
            parts=tuple(parts_after(self.entries, entry.sequence)),
        )
        engine = Engine(Rows(loaded.schema, list))
        try:
            planned = plan(self.variants, loaded.columns, loaded.key, engine, self.split)
        finally:
            engine.close()
        publisher = Publisher(LoadStep(**self._work()), self.store, loaded)
        for each in planned:
            publisher.publish(each, publisher.build(each))
        return self.published()

    def published(self) -> list[Published]:
        """The latest version of each variant, as the status of the Dataset names it."""
        return [self.latest(variant.name) for variant in self.variants]

    def latest(self, variant: str) -> Published:
        """The latest version of a variant."""
        uri = pointed_uri(self.store, _NAME, versions(self.store, _NAME, variant, _UID)[-1])
        return Published(variant=variant, digest=read_manifest(self.store, uri).content_digest, uri=uri)

    def verify_step(self, versions: Sequence[Published] | None = None) -> VerifyStep:
        """The step that builds versions again."""
        asked = self.published() if versions is None else list(versions)
        return VerifyStep(**self._work(), sequence=len(self.entries), versions=asked)

    def with_variants(self, variants: Sequence[Variant]) -> "RecordedDataset":
        """The same Dataset after an edit of its variants."""
        return replace(self, variants=variants)

    def _work(self) -> dict[str, Any]:
        return {
            "owner": self.owner,
            "source": Source(builtin=BuiltinSource(name=BuiltinName.IRIS)),
            "primary_key": ["id"],
            "variants": list(self.variants),
            "split": self.split,
            "postgres": PostgresEndpoint(host="127.0.0.1", port=1, schema_=self.store.endpoint.prefix),
            "s3": self.store.endpoint,
        }
