"""Publishes versions: profile, manifest and, last of all, the pointer that adds a version to the list.

Everything is named by its content or made once, so a publisher that was killed anywhere and is started again writes the
same objects. What is built and not published is only a file that nothing refers to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import pyarrow as pa

from modelyard_api.contract.manifest import Manifest
from modelyard_api.contract.outcome import VariantOutcome
from modelyard_api.contract.steps import LoadStep
from modelyard_api.v1alpha1.dataset_status import CLASSES_SHOWN, ClassCount
from modelyard_loader.record.building import Builder, Content, Loaded
from modelyard_loader.record.files import profiles_prefix
from modelyard_loader.record.planning import PlannedVariant, plan
from modelyard_loader.record.profile import write_profile
from modelyard_loader.transforms.limits import Limits
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.manifests import write_manifest
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.versions import VersionPointer, write_version

__all__ = ["Content", "Loaded", "PlannedVariant", "Publisher", "plan"]

_PREFIX = "sha256:"
_NAME_LENGTH = 63

_log = logging.getLogger(__name__)


class Publisher:
    """Builds and publishes the variants of one load.

    Of ``planned`` those whose rows each depend on one loaded row are built together when the first of them is asked for.
    """

    def __init__(
        self,
        step: LoadStep,
        store: ObjectStore,
        loaded: Loaded,
        limits: Limits | None = None,
        planned: Sequence[PlannedVariant] = (),
    ) -> None:
        self._step = step
        self._store = store
        self._loaded = loaded
        self._builder = Builder(step, store, loaded, limits, planned)

    def existing(self, planned: PlannedVariant) -> VariantOutcome | None:
        """The version of this very load, recipe and split, where it is published."""
        before = self._builder.earlier(planned)
        if before is None or before.sequence != self._loaded.sequence or before.split != self._step.split:
            return None
        pointers = [
            each
            for each in self._builder.published(planned.variant.name)
            if self._builder.manifest_of(each) == before
        ]
        return self._known(pointers[-1])

    def build(self, planned: PlannedVariant) -> Content:
        """Content of a variant, which is not published yet. Raises DataError where rows do not fit its transforms."""
        return self._builder.build(planned)

    def reader(self, content: Content, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """Rows of a content, all columns or some, file by file."""
        wanted = [each for each in content.columns if columns is None or each.name in columns]
        schema = pa.schema([pa.field(each.name, ARROW_TYPES[each.type]) for each in wanted])

        def batches() -> Iterator[pa.RecordBatch]:
            for part in content.parts:
                yield from self._builder.read(part, schema.names).to_batches()

        return pa.RecordBatchReader.from_batches(schema, batches())

    def publish(self, planned: PlannedVariant, content: Content) -> VariantOutcome:
        """Publishes a variant."""
        owner = self._step.owner
        profile = write_profile(self._store, profiles_prefix(self._store, owner.name), content.profile)
        manifest = self._manifest(planned, content, profile)
        written = write_manifest(self._store, manifest)
        write_version(self._store, owner.name, owner.uid, manifest, written.sha256)
        columns = len(content.columns) - len(manifest.key)
        _log.info("variant %s: %d rows, %d columns, %s", manifest.variant, content.rows, columns, written.uri)
        return VariantOutcome(
            name=manifest.variant,
            rows=content.rows,
            columns=columns,
            digest=content.digest.removeprefix(_PREFIX),
            manifest=written.sha256,
            classes=content.profile.classes(manifest.label),
        )

    def last_good(self, variant: str) -> VariantOutcome | None:
        """The version of a variant that was published last, up to this load; None if there is none."""
        known = self._builder.published(variant)
        return self._known(known[-1]) if known else None

    def _known(self, pointer: VersionPointer) -> VariantOutcome:
        manifest = self._builder.manifest_of(pointer)
        return VariantOutcome(
            name=manifest.variant,
            rows=manifest.rows,
            columns=len(manifest.columns) - len(manifest.key),
            digest=manifest.content_digest.removeprefix(_PREFIX),
            manifest=pointer.sha256,
            sequence=None if manifest.sequence == self._loaded.sequence else manifest.sequence,
            classes=_classes(manifest),
        )

    def _manifest(self, planned: PlannedVariant, content: Content, profile: str) -> Manifest:
        owner, chain = self._step.owner, planned.chain
        return Manifest(
            project=owner.project,
            dataset=owner.name,
            variant=planned.variant.name,
            sequence=self._loaded.sequence,
            key=list(chain.key),
            columns=list(content.columns),
            rows=content.rows,
            parts=list(content.parts),
            recipe=planned.recipe,
            content_digest=content.digest,
            split=self._step.split,
            border=self._builder.line.border,
            audit_head=self._loaded.audit_head,
            loaded_at=self._loaded.loaded_at,
            origin=[] if chain.origin == chain.key else list(chain.origin),
            statistics=content.statistics,
            profile=profile,
            sample=content.profile.sample(),
            learned=list(content.learned),
            label=chain.label or self._step.split.stratify_by,
        )


def _classes(manifest: Manifest) -> list[ClassCount]:
    """The largest classes, as far as the manifest says them."""
    found = next((each.values for each in manifest.statistics if each.name == manifest.label), {})
    largest = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:CLASSES_SHOWN]
    return [ClassCount(name=name[:_NAME_LENGTH], rows=rows) for name, rows in largest]
