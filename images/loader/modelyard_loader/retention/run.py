"""The step that carries retention out. It may be killed anywhere: what it leaves behind, the next one finds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from modelyard_api.contract.outcome import Outcome, SweepOutcome
from modelyard_api.contract.steps import SweepStep
from modelyard_loader.retention.decision import Decision, Keeping, decide
from modelyard_loader.retention.inventory import inventory
from modelyard_loader.retention.leftovers import batches
from modelyard_loader.retention.references import referred_digests
from modelyard_loader.retention.sweeps import record_sweep
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.guard import removing
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.tracking import MLflowClient

_log = logging.getLogger(__name__)


def sweep(
    step: SweepStep,
    store: ObjectStore,
    postgres: Postgres,
    tracking: MLflowClient,
    clock: Callable[[], datetime],
) -> Outcome:
    """Removes versions that nothing needs and what killed loads have left, or lists them.

    Raises PlatformError where a service does not answer or another step is at work, DataError where a manifest or a load
    cannot be read; nothing is removed then.
    """
    with removing(postgres, step.owner) as check:
        now = clock()
        # What is there is looked at before what refers to it: a run that begins in between is then seen.
        found = inventory(store, step.owner.name)
        files = batches(postgres, store, step.owner)
        digests = referred_digests(tracking) | frozenset(step.protected)
        keeping = Keeping(
            step.owner.uid,
            step.keep_last,
            digests,
            frozenset(step.protected_sequences),
            now,
            frozenset(step.protected_times),
        )
        decision = decide(found, keeping, files)
        record_sweep(postgres, store, step, decision, now)
        if not step.dry_run:
            _remove(store, decision, check)
    outcome = SweepOutcome(
        dry_run=step.dry_run,
        versions_kept=len(decision.kept),
        versions_removed=len(decision.removed),
        objects_removed=len(_doomed(decision)),
        bytes_removed=sum(size for _, size in _doomed(decision)),
    )
    _log.info("versions kept: %d, removed: %d", outcome.versions_kept, outcome.versions_removed)
    return Outcome(sweep=outcome)


def _doomed(decision: Decision) -> list[tuple[str, int]]:
    """Keys and sizes in the order in which they go.

    A pointer goes before its manifest and a manifest before its files, so that whatever is still named can be read.
    """
    pointers = [(each.key, 0) for version in decision.removed for each in version.pointed]
    manifests = [(version.entry.key, version.entry.size) for version in decision.removed]
    files = [(entry.key, entry.size) for entry in decision.files]
    return [*pointers, *manifests, *files]


def _remove(store: ObjectStore, decision: Decision, check: Callable[[], None]) -> None:
    for key, _ in _doomed(decision):
        check()
        store.delete(key)
