"""What retention removes, as rows of the table ``data_sweeps``, written before anything goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import psycopg
from psycopg import sql

from modelyard_api.contract.steps import SweepStep
from modelyard_loader.retention.decision import Decision
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.s3 import ObjectStore

SWEEPS = "data_sweeps"

_STATEMENT = """
INSERT INTO {table} (dataset, dataset_uid, at, dry_run, variant, sequence, digest, uri, bytes)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def record_sweep(
    postgres: Postgres, store: ObjectStore, step: SweepStep, decision: Decision, at: datetime
) -> None:
    """Lists what goes: a row for each manifest and each file. Raises PlatformError where Postgres does not answer."""

    def work(connection: psycopg.Connection) -> None:
        statement = sql.SQL(_STATEMENT).format(table=sql.Identifier(postgres.schema, SWEEPS))
        common = (step.owner.name, step.owner.uid, at, step.dry_run)
        with connection.cursor() as cursor:
            cursor.executemany(statement, [(*common, *row) for row in _rows(store, decision)])

    postgres.transact(work)


def _rows(
    store: ObjectStore, decision: Decision
) -> Iterator[tuple[str | None, int | None, str | None, str, int]]:
    for version in decision.removed:
        manifest = version.manifest
        yield (
            manifest.variant,
            manifest.sequence,
            manifest.content_digest,
            version.uri,
            version.entry.size,
        )
    for entry in decision.files:
        yield None, None, None, store.uri(entry.key), entry.size
