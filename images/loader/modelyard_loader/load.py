"""The step of a Dataset from beginning to end: source, files on S3, working copy, versions.

The order is what makes it safe to kill: the files of a load are on S3 before the transaction that names them is committed,
its record and its versions are written only after, and a second run goes on from what is committed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.outcome import Outcome
from modelyard_api.contract.steps import LoadStep
from modelyard_loader.publishing import Plan, Publication, plan_of
from modelyard_loader.record.loads import LoadContent, LoadRecords, parts_after
from modelyard_loader.staging.direct import load_directly
from modelyard_loader.staging.refresh import refresh
from modelyard_loader.staging.steps import NextRows, is_all
from modelyard_loader.staging.work import Before, Work
from modelyard_loader.surroundings import Surroundings
from modelyard_loader.transforms.limits import pod_limits
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.loads import LoadTransaction, check_next, commit, committed
from modelyard_loader.working_copy.rebuild import caught_up

_log = logging.getLogger(__name__)


def load(step: LoadStep, surroundings: Surroundings) -> Outcome:
    """Makes sure that a load is committed, and publishes it. Raises the errors of ``modelyard_runtime.errors``."""
    return Loader(step, surroundings).run()


class Loader:
    """One step and the places that it works on."""

    def __init__(self, step: LoadStep, surroundings: Surroundings) -> None:
        self._step = step
        self._surroundings = surroundings
        self._plans: dict[tuple[Column, ...], Plan] = {}
        self._records = LoadRecords(surroundings.store, step.owner.name, step.owner.uid)

    def run(self) -> Outcome:
        """Loads, unless that is done or there is nothing to load, and publishes every variant."""
        before = self._committed()
        check_next(len(before), self._step)
        known = before[: self._step.sequence]
        changed = True
        if len(known) < self._step.sequence:
            entry = self._load(known)
            changed = entry is not None
            known = [*known, entry] if entry else known
        else:
            _log.info("load %d was committed before", self._step.sequence)
            self._tidy(before[-1])
        outcome = Publication(self._step, self._surroundings, known, self._planned).publish(changed=changed)
        return Outcome(load=outcome)

    def _committed(self) -> list[LedgerEntry]:
        """All loads, ledger and record on S3 having been made to agree."""
        postgres, owner = self._surroundings.postgres, self._step.owner
        if caught_up(postgres, self._surroundings.store, owner, self._surroundings.progress) is None:
            return []
        return committed(postgres, owner)

    def _load(self, known: Sequence[LedgerEntry]) -> LedgerEntry | None:
        """Makes the load; None where there is nothing new."""
        work = Work(self._step, self._surroundings, self._surroundings.clock(), self._planned, _before(known))
        snapshot = work.before.content.snapshot if work.before else None
        if work.before is None and is_all(self._step.percent):
            entry = self._commit(lambda transaction: load_directly(work, transaction))
        elif work.before is None or (
            snapshot is not None and snapshot.loaded < snapshot.rows and not self._step.refresh
        ):
            rows = NextRows(work)
            entry = self._commit(rows.load)
            rows.tidy()
        else:
            entry = self._commit(lambda transaction: refresh(work, transaction))
        return entry

    def _commit(self, make: Callable[[LoadTransaction], LedgerEntry | None]) -> LedgerEntry | None:
        entry = commit(self._surroundings.postgres, self._step, make)
        if entry is None:
            _log.info("the source has nothing new")
            return None
        _log.info("load %d is committed: %d rows", entry.sequence, entry.total_rows)
        self._records.write(entry)
        return entry

    def _tidy(self, last: LedgerEntry) -> None:
        """Removes rows that waited and are loaded, which a loader that was killed has left."""
        snapshot = LoadContent.of(last).snapshot
        if snapshot is None or snapshot.staging is None:
            Work(self._step, self._surroundings, last.started_at, self._planned).area.clear()

    def _planned(self, columns: tuple[Column, ...]) -> Plan:
        """The plan for these columns, made once."""
        if columns not in self._plans:
            limits = pod_limits(self._surroundings.environment)
            self._plans[columns] = plan_of(self._step, columns, limits)
        return self._plans[columns]


def _before(known: Sequence[LedgerEntry]) -> Before | None:
    if not known:
        return None
    last = known[-1]
    parts = parts_after(known, last.sequence)
    return Before(LoadContent.of(last), tuple(parts), last.total_rows, last.source_digest)
