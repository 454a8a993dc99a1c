"""The whole source at once: rows go from the source to the table and to the record without a stop in between."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard_api.v1alpha1.loading import HashOrder, Order
from modelyard_loader.keys import Naming
from modelyard_loader.record.loads import LoadContent, Snapshot
from modelyard_loader.sources.reading import OpenSource
from modelyard_loader.staging.accepted import NumberedRows, accepted
from modelyard_loader.staging.ahead import ahead
from modelyard_loader.staging.arranged import arranged
from modelyard_loader.staging.rejects import Rejects
from modelyard_loader.staging.work import Work
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.loads import Batch, LoadTransaction


def load_directly(work: Work, transaction: LoadTransaction) -> LedgerEntry:
    """Loads every row of the source as the first load."""
    rejects = work.rejects()
    with work.open() as source:
        naming = work.naming(source.columns)
        with work.parts(naming) as parts, ahead(_rows(work, source, naming, rejects)) as rows:
            batches = parts.passing(work.loading(each.rows for each in rows))
            count = transaction.append(naming, batches)
            written = parts.finish()
        rejects.check()
        work.check_any(count, rejects)
        refused = work.write_rejects(rejects)
        transaction.set_aside(rejects.table())
        totals = work.totals(written.totals)
        content = LoadContent(
            parts=list(written.parts),
            key=list(naming.key),
            columns=list(naming.columns),
            numbered=naming.numbered,
            rejects=refused,
            snapshot=Snapshot(
                cycle=1,
                order=work.step.order,
                rows=count,
                loaded=count,
                offered=count + rejects.count,
                consumed=source.consumed,
            ),
            missing=totals.missing if totals else [],
            sums=totals.sums.state() if totals else None,
        )
        batch = Batch(count + rejects.count, count, count, rejects.count, source.digest, content)
    return transaction.seal(batch, work.started, work.surroundings.clock())


def _rows(work: Work, source: OpenSource, naming: Naming, rejects: Rejects) -> Iterator[NumberedRows]:
    """Rows as they come. Where one of two of a name may stay, it must be found out before either is written."""
    rows = accepted(source, naming, rejects)
    if naming.numbered or work.step.on_reject.quarantine is None:
        return rows
    return arranged(rows, naming, Order(hash=HashOrder()), rejects, work.directory())
