"""The step: who took charge of a stage and when, appended to the history that nobody can rewrite."""

from __future__ import annotations

import psycopg

from modelyard_api.contract.outcome import ChampionsOutcome
from modelyard_api.contract.steps import ChampionsStep
from modelyard_trainer.tuning.connection import Connection

_INSERT = """
INSERT INTO model_champions (promotion, promotion_uid, number, model_name, stage, version, run_id, model_digest,
  dataset_digest, since)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (promotion_uid, number) DO NOTHING
"""


def record_champions(step: ChampionsStep, connection: Connection) -> ChampionsOutcome:
    """Appends the entries that are not there yet; done again it changes nothing.

    Raises PlatformError when Postgres does not answer or the project is not provisioned.
    """
    owner = step.owner
    rows = [
        (
            owner.name,
            owner.uid,
            entry.number,
            step.model_name,
            step.stage,
            entry.version,
            entry.run_id,
            entry.model_digest,
            entry.dataset_digest,
            entry.since,
        )
        for entry in step.entries
    ]

    def append(session: psycopg.Connection) -> None:
        with session.cursor() as cursor:
            cursor.executemany(_INSERT, rows)

    connection.transact(append)
    return ChampionsOutcome(number=max(entry.number for entry in step.entries))
