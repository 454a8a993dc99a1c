"""What the rules said, as rows of the table ``data_rules`` and on S3."""

from __future__ import annotations

import psycopg
from psycopg import sql

from modelyard_api.contract.steps import Owner
from modelyard_loader.record.audit import RULES, AuditRecord, AuditRow
from modelyard_loader.validation.judging import Verdict
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.s3 import ObjectStore

_STATEMENT = """
INSERT INTO {table}
  (dataset, dataset_uid, sequence, variant, rule, severity, observed, required, passed, judged_at)
SELECT %(dataset)s, %(dataset_uid)s, %(sequence)s, %(variant)s, %(rule)s, %(severity)s, %(observed)s, %(required)s,
       %(passed)s, %(judged_at)s::timestamptz
WHERE (%(severity)s::text, %(observed)s::text, %(required)s::text, %(passed)s::boolean) IS DISTINCT FROM (
  SELECT (severity, observed, required, passed) FROM {table}
  WHERE dataset_uid = %(dataset_uid)s AND sequence = %(sequence)s AND variant = %(variant)s AND rule = %(rule)s
  ORDER BY judged_at DESC LIMIT 1)
"""


def record_results(
    postgres: Postgres, store: ObjectStore, owner: Owner, sequence: int, verdict: Verdict
) -> None:
    """Writes a row for each rule; none where the last one says the same, so that a step may be repeated.

    Raises PlatformError where Postgres or S3 does not answer.
    """

    def work(connection: psycopg.Connection) -> None:
        statement = sql.SQL(_STATEMENT).format(table=sql.Identifier(postgres.schema, RULES))
        written: list[AuditRow] = []
        for judgement in verdict.judgements:
            row: AuditRow = {
                "dataset": owner.name,
                "dataset_uid": owner.uid,
                "sequence": sequence,
                "variant": judgement.variant,
                "rule": judgement.rule,
                "severity": judgement.severity.value,
                "observed": judgement.observed,
                "required": judgement.required,
                "passed": judgement.passed,
                "judged_at": verdict.at.isoformat(),
            }
            if connection.execute(statement, row).rowcount:
                written.append(row)
        AuditRecord(store, owner).write(RULES, written)

    if verdict.judgements:
        postgres.transact(work)
