"""The step that proves that versions are deterministic, or says where they are not."""

from __future__ import annotations

import logging
from dataclasses import replace

from modelyard_api.contract.manifest import Manifest
from modelyard_api.contract.outcome import Outcome, VerifyOutcome
from modelyard_api.contract.steps import Published, VerifyStep
from modelyard_loader.record.loads import LoadRecords
from modelyard_loader.transforms.limits import Limits
from modelyard_loader.verify.rebuilding import Rebuild
from modelyard_loader.verify.shuffled import BATCH_ROWS
from modelyard_runtime.digest import ContentAccumulator, ContentDigest
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_manifest
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import read_parts

THREADS = 4
SETTINGS = f"{THREADS} threads, batches of {BATCH_ROWS} rows, files in reverse order, rows shuffled"
_COLUMNS_SHOWN = 5

_log = logging.getLogger(__name__)


def verify(step: VerifyStep, store: ObjectStore, limits: Limits | None = None) -> Outcome:
    """Builds the versions again and compares; publishes nothing.

    A version that an earlier spec made, as where rules keep the last good one, cannot be built again and is named among
    those that were left out. Raises DataError where a file is missing or was changed, or where nothing is left to compare,
    PlatformError where S3 does not answer.
    """
    entries = LoadRecords(store, step.owner.name, step.owner.uid).chain()
    others = replace(limits or Limits(), threads=THREADS)
    rebuilds: dict[int, Rebuild] = {}
    differing: list[str] = []
    skipped: list[str] = []
    for version in step.versions:
        manifest = read_manifest(store, version.uri)
        sequence = manifest.sequence
        if sequence not in rebuilds:
            rebuilds[sequence] = Rebuild(step, store, entries, sequence, others)
        again = rebuilds[sequence].planned.get(version.variant)
        if again is None or again.recipe.digest != manifest.recipe.digest:
            skipped.append(version.variant)
            continue
        differing += _differences(version, manifest, rebuilds[sequence], store)
        _log.info("variant %s: load %d was built again", version.variant, sequence)
    if len(skipped) == len(step.versions):
        raise DataError(
            "no version that is published was made by the present spec",
            field=f"Dataset {step.owner.name}",
            remedy="ask again when the present spec has been published",
        )
    outcome = VerifyOutcome(sequence=step.sequence, settings=SETTINGS, differing=differing, skipped=skipped)
    return Outcome(verify=outcome)


def _differences(version: Published, manifest: Manifest, rebuild: Rebuild, store: ObjectStore) -> list[str]:
    """Clauses, each beginning with the variant's name; none where everything is the same."""
    name = version.variant
    found: list[str] = []
    stored = _stored(manifest, store)
    if stored.root != manifest.content_digest:
        found.append(f"{name}: the files hold {stored.root}, the manifest says {manifest.content_digest}")
    if version.digest != manifest.content_digest:
        found.append(f"{name}: the manifest says {manifest.content_digest}, asked for was {version.digest}")
    made = rebuild.digest(name)
    if made.root != stored.root:
        found.append(f"{name}: {_columns(stored, made)}")
    if manifest.border is not None and rebuild.line.border != manifest.border:
        found.append(f"{name}: the line between training and test rows")
    return found


def _stored(manifest: Manifest, store: ObjectStore) -> ContentDigest:
    sums = ContentAccumulator(manifest.columns, manifest.key)
    for rows in read_parts(manifest, store):
        sums.add(rows)
    return sums.digest()


def _columns(before: ContentDigest, after: ContentDigest) -> str:
    old = {each.column.name: each.sha256 for each in before.columns}
    new = {each.column.name: each.sha256 for each in after.columns}
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if not names:
        return "another key"
    more = f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
    return f"columns {', '.join(names[:_COLUMNS_SHOWN])}{more}"
