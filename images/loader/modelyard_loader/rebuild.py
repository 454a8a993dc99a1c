"""The step that makes the working copy and its audit again from S3 alone."""

from __future__ import annotations

import logging

from modelyard_api.contract.outcome import Outcome, RebuildOutcome
from modelyard_api.contract.steps import RebuildStep
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.rebuild import rebuilt
from modelyard_runtime.progress import Progress
from modelyard_runtime.s3 import ObjectStore

_log = logging.getLogger(__name__)


def rebuild(
    step: RebuildStep, store: ObjectStore, postgres: Postgres, progress: Progress | None = None
) -> Outcome:
    """Compares rows, ledger, changes and rejects with the record, and puts back what differs; see ``rebuilt``."""
    made = rebuilt(postgres, store, step.owner, progress)
    if not made.repaired:
        _log.info("the working copy is that of the record: %d rows", made.entry.total_rows)
    return Outcome(
        rebuild=RebuildOutcome(
            sequence=made.entry.sequence,
            rows=made.entry.total_rows,
            audit_head=made.entry.hash,
            repaired=list(made.repaired),
        )
    )
