"""What rules said is in Postgres and on S3: once for each thing that was said, and for good."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from modelyard_api.v1alpha1.validation import Severity
from modelyard_loader.record.audit import RULES, AuditRecord
from modelyard_loader.validation.judging import Judgement, Verdict
from modelyard_loader.validation.results import record_results
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import DataError, PlatformError
from modelyard_runtime.retry import Patience
from modelyard_runtime.s3 import ObjectStore
from tests.support.loading import LoaderRun
from tests.support.ports import free_port
from tests.support.sources import nowhere

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Results:
    """The table of a project."""

    loader: LoaderRun

    @property
    def store(self) -> ObjectStore:
        """The project's part of the store."""
        return self.loader.s3.store(self.loader.project.schema)

    def record(self, verdict: Verdict, sequence: int = 1, store: ObjectStore | None = None) -> None:
        """Writes what rules said."""
        step = self.loader.step()
        login = Login(self.loader.project.username, self.loader.project.password)
        postgres = Postgres(step.postgres, login, Patience(total=1))
        record_results(postgres, store or self.store, step.owner, sequence, verdict)

    def recorded(self) -> list[list[tuple[object, object, object]]]:
        """Rule, number and time of what is on S3, by transaction."""
        found = AuditRecord(self.store, self.loader.step().owner).read(RULES)
        return sorted([(row["rule"], row["observed"], row["judged_at"]) for row in rows] for rows in found)

    def rows(self) -> list[tuple[object, ...]]:
        """What is in the table."""
        with self.loader.postgres.administrator() as connection:
            return connection.execute(
                "SELECT dataset, sequence, variant, rule, severity, observed, required, passed, judged_at "  # noqa: S608
                f"FROM {self.loader.project.schema}.data_rules ORDER BY sequence, rule, judged_at"
            ).fetchall()


@pytest.fixture
def results(loader: LoaderRun) -> Results:
    """An empty table."""
    return Results(loader)


def said(rule: str, observed: str = "0", *, passed: bool = True) -> Judgement:
    """What one rule said."""
    return Judgement("v1", rule, Severity.ERROR, observed, "= 0", passed)


def verdict(*judgements: Judgement, at: datetime = NOW) -> Verdict:
    """What all rules said."""
    return Verdict(judgements, frozenset(), at)


def test_every_rule_has_a_row_for_each_load(results: Results) -> None:
    results.record(verdict(said("a"), said("b", "7", passed=False)))
    results.record(verdict(said("a")), sequence=2)
    name = results.loader.name
    assert results.rows() == [
        (name, 1, "v1", "a", "Error", "0", "= 0", True, NOW),
        (name, 1, "v1", "b", "Error", "7", "= 0", False, NOW),
        (name, 2, "v1", "a", "Error", "0", "= 0", True, NOW),
    ]


def test_a_step_that_is_repeated_says_nothing_twice(results: Results) -> None:
    later = NOW + timedelta(minutes=5)
    for at in (NOW, later):
        results.record(verdict(said("a"), at=at))
    assert len(results.rows()) == 1
    assert results.recorded() == [[("a", "0", NOW.isoformat())]]


def test_what_is_judged_anew_with_another_result_is_added(results: Results) -> None:
    moments = [NOW + timedelta(minutes=minute) for minute in range(3)]
    for at, observed in zip(moments, ("0", "7", "0"), strict=True):
        results.record(verdict(said("a", observed, passed=observed == "0"), at=at))
    told = list(zip(("0", "7", "0"), moments, strict=True))
    assert [(row[5], row[8]) for row in results.rows()] == told
    assert results.recorded() == sorted([("a", observed, at.isoformat())] for observed, at in told)


def test_what_was_said_is_on_s3_or_nowhere(results: Results) -> None:
    with pytest.raises(PlatformError, match="did not answer"):
        results.record(verdict(said("a")), store=nowhere())
    assert results.rows() == []


def test_a_record_that_was_changed_on_s3_is_named(results: Results) -> None:
    owner = results.loader.step().owner
    key = f"{results.store.endpoint.prefix}/datasets/{owner.name}/audit/{owner.uid}/{RULES}/{'0' * 64}.json"
    results.store.create(key, b'{"rows":[]}')
    with pytest.raises(DataError, match=r"0000.json: the content does not have the SHA-256 of its name"):
        results.recorded()


@pytest.mark.parametrize("statement", ["UPDATE {} SET passed = true", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_project_cannot_change_what_was_said(results: Results, statement: str) -> None:
    results.record(verdict(said("a", "7", passed=False)))
    project, postgres = results.loader.project, results.loader.step().postgres
    with (
        psycopg.connect(
            host=postgres.host,
            port=postgres.port,
            dbname=postgres.database,
            user=project.username,
            password=project.password,
        ) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.format(f"{project.schema}.data_rules"))


def test_a_postgres_that_stays_away_is_a_failure_of_the_platform(results: Results) -> None:
    step = results.loader.step()
    away = step.postgres.model_copy(update={"port": free_port()})
    postgres = Postgres(away, Login("nobody", "nothing"), Patience(total=0.1))
    with pytest.raises(PlatformError, match="no answer"):
        record_results(postgres, results.store, step.owner, 1, verdict(said("a")))
