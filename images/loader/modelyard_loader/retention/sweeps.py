"""What retention removes, as rows of the table ``data_sweeps`` and on S3, written before anything goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import psycopg
from psycopg import sql

from modelyard_api.contract.steps import SweepStep
from modelyard_loader.record.audit import SWEEPS, AuditRecord, AuditRow
from modelyard_loader.retention.decision import Decision
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.s3 import ObjectStore

_STATEMENT = """
INSERT INTO {table} (dataset, dataset_uid, at, dry_run, variant, sequence, digest, uri, bytes)
VALUES (%(dataset)s, %(dataset_uid)s, %(at)s::timestamptz, %(dry_run)s, %(variant)s, %(sequence)s, %(digest)s, %(uri)s,
        %(bytes)s)
"""


def record_sweep(
    postgres: Postgres, store: ObjectStore, step: SweepStep, decision: Decision, at: datetime
) -> None:
    """Lists what goes: a row for each manifest and each file; what would go in a dry run is listed in Postgres alone.

    Raises PlatformError where Postgres or S3 does not answer.
    """
    owner = step.owner
    common: AuditRow = {
        "dataset": owner.name,
        "dataset_uid": owner.uid,
        "at": at.isoformat(),
        "dry_run": step.dry_run,
    }
    rows = [{**common, **row} for row in _rows(store, decision)]

    def work(connection: psycopg.Connection) -> None:
        statement = sql.SQL(_STATEMENT).format(table=sql.Identifier(postgres.schema, SWEEPS))
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
        if not step.dry_run:
            AuditRecord(store, owner).write(SWEEPS, rows)

    postgres.transact(work)


def _rows(store: ObjectStore, decision: Decision) -> Iterator[AuditRow]:
    for version in decision.removed:
        manifest = version.manifest
        yield {
            "variant": manifest.variant,
            "sequence": manifest.sequence,
            "digest": manifest.content_digest,
            "uri": version.uri,
            "bytes": version.entry.size,
        }
    for entry in decision.files:
        nothing = {"variant": None, "sequence": None, "digest": None}
        yield {**nothing, "uri": store.uri(entry.key), "bytes": entry.size}
