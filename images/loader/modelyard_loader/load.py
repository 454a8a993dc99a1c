"""The step of a Dataset from beginning to end: source, batch on S3, working copy, variants, manifests.

The order is what makes it safe to kill: the batch is on S3 before the transaction that names it is committed, and
manifests are written only after. A second run finds the ledger's entry and goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime

import pyarrow as pa

from modelyard_api.contract.manifest import Part
from modelyard_api.contract.outcome import LoadOutcome, Outcome
from modelyard_api.contract.steps import LoadStep, Step
from modelyard_loader.keys import keyed
from modelyard_loader.record.files import write_batch
from modelyard_loader.record.variants import Loaded, PlannedVariant, Publisher, plan
from modelyard_loader.sources import read_source
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.loads import Batch, last_load, load_all
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.manifests import read_part
from modelyard_runtime.s3 import ObjectStore

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def load(step: Step, environment: Mapping[str, str], clock: Callable[[], datetime] = utc_now) -> Outcome:
    """Carries out a load step. Raises the errors of ``modelyard_runtime.errors``."""
    if step.load is None:
        raise InvalidSpecError(f"the loader cannot carry out a step of kind {step.chosen}")
    ask = step.load
    credentials = Credentials.mounted(environment)
    postgres = Postgres(ask.postgres, credentials.postgres())
    return Loader(ask, ObjectStore(ask.s3, credentials.s3()), postgres, clock).run()


class Loader:
    """One step and the places that it works on."""

    def __init__(
        self, step: LoadStep, store: ObjectStore, postgres: Postgres, clock: Callable[[], datetime]
    ) -> None:
        self._step = step
        self._store = store
        self._postgres = postgres
        self._clock = clock
        self._key = tuple(step.primary_key)

    def run(self) -> Outcome:
        """Loads, unless that is done, and publishes every variant."""
        known = last_load(self._postgres, self._step.owner)
        if known is not None:
            return self._go_on(known)
        started = self._clock()
        source = read_source(self._step.source)
        rows = keyed(source.table, self._key)
        with closing(Engine(rows)) as engine:
            planned = self._plan(rows, engine)
            part = write_batch(self._store, self._step.owner.name, rows)
            batch = Batch(rows, self._key, part, source.digest, started)
            entry = load_all(self._postgres, self._step.owner, batch, self._clock)
            _log.info("load %d is committed: %d rows", entry.sequence, entry.total_rows)
            if _recorded(entry).sha256 == part.sha256:
                return self._publish(engine, planned, Loaded(rows, part, entry))
        return self._go_on(entry)

    def _go_on(self, entry: LedgerEntry) -> Outcome:
        """Publishes what another run has committed."""
        _log.info("load %d was committed before", entry.sequence)
        part = _recorded(entry)
        rows = read_part(self._store, part)
        with closing(Engine(rows)) as engine:
            return self._publish(engine, self._plan(rows, engine), Loaded(rows, part, entry))

    def _plan(self, rows: pa.Table, engine: Engine) -> list[PlannedVariant]:
        return plan(self._step.variants, rows, self._key, engine)

    def _publish(self, engine: Engine, planned: list[PlannedVariant], loaded: Loaded) -> Outcome:
        publisher = Publisher(self._step, self._store, engine, loaded)
        variants = [publisher.publish(each) for each in planned]
        entry = loaded.entry
        return Outcome(
            load=LoadOutcome(
                sequence=entry.sequence,
                rows=entry.total_rows,
                rejected=entry.rejected,
                source_digest=entry.source_digest,
                audit_head=entry.hash,
                variants=variants,
            )
        )


def _recorded(entry: LedgerEntry) -> Part:
    """The batch that a load is made of."""
    return Part.model_validate(entry.metadata["batch"])
