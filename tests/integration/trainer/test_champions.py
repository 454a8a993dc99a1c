"""The history of champions on a real Postgres server: written by the trainer's step, read by people, rewritten by nobody."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from modelyard_api.contract.steps import ChampionEntry, ChampionsStep, Owner
from modelyard_runtime.credentials import Login
from modelyard_trainer.champions import record_champions
from modelyard_trainer.tuning.connection import Connection
from tests.support.postgres import PostgresServer, Project, postgres_endpoint

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Session = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def connection(postgres_server: PostgresServer, project: Project) -> Iterator[Connection]:
    endpoint = postgres_endpoint(postgres_server, project)
    opened = Connection(endpoint, Login(project.username, project.password))
    yield opened
    opened.close()


@pytest.fixture
def role(postgres_server: PostgresServer, project: Project) -> Iterator[Session]:
    with postgres_server.session_of(project) as session:
        yield session


def step(
    postgres_server: PostgresServer, project: Project, *numbers: int, uid: str = "one", later: int = 0
) -> ChampionsStep:
    """Champion n is version n, in charge from n hours after noon."""
    entries = [
        ChampionEntry(
            number=number,
            version=str(number + later),
            run_id=f"run-{number}",
            model_digest=f"sha256:{number}",
            since=NOON + timedelta(hours=number + later),
        )
        for number in numbers
    ]
    return ChampionsStep(
        owner=Owner(project=project.schema, name="housing", uid=uid, generation=1),
        model_name="houses",
        stage="production",
        entries=entries,
        postgres=postgres_endpoint(postgres_server, project),
    )


def champion_at(role: Session, hours: float, promotion: str = "housing") -> list[object]:
    moment = NOON + timedelta(hours=hours)
    found = role.execute("SELECT version FROM champion_at(%s, %s)", (promotion, moment)).fetchall()
    return [row[0] for row in found]


def test_who_was_in_charge_at_a_time_is_one_row_or_none(
    postgres_server: PostgresServer, project: Project, connection: Connection, role: Session
) -> None:
    assert record_champions(step(postgres_server, project, 1), connection).number == 1
    assert record_champions(step(postgres_server, project, 2, 3), connection).number == 3
    assert champion_at(role, 0.9) == []
    assert champion_at(role, 1) == ["1"]
    assert champion_at(role, 2.5) == ["2"]
    assert champion_at(role, 1000) == ["3"]
    assert champion_at(role, 2, "another") == []
    terms = role.execute("SELECT version, since, until FROM champions ORDER BY since").fetchall()
    assert terms[0] == ("1", NOON + timedelta(hours=1), NOON + timedelta(hours=2))
    assert terms[-1] == ("3", NOON + timedelta(hours=3), None)


def test_a_step_that_is_repeated_adds_only_what_is_missing(
    postgres_server: PostgresServer, project: Project, connection: Connection, role: Session
) -> None:
    for numbers in ((1, 2), (1, 2), (1, 2, 3)):
        record_champions(step(postgres_server, project, *numbers), connection)
    assert role.execute("SELECT number FROM model_champions ORDER BY number").fetchall() == [(1,), (2,), (3,)]


def test_a_promotion_that_was_made_again_goes_on_where_the_first_ended(
    postgres_server: PostgresServer, project: Project, connection: Connection, role: Session
) -> None:
    record_champions(step(postgres_server, project, 1, 2), connection)
    record_champions(step(postgres_server, project, 1, uid="two", later=5), connection)
    assert champion_at(role, 5) == ["2"]
    assert champion_at(role, 6) == ["6"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE model_champions SET version = '9'",
        "DELETE FROM model_champions",
        "TRUNCATE model_champions",
        "DROP TABLE model_champions CASCADE",
        "DROP VIEW champions CASCADE",
        "DROP FUNCTION champion_at(text, timestamptz)",
        "CREATE OR REPLACE VIEW champions AS SELECT 1 AS number",
    ],
)
def test_the_projects_role_rewrites_nothing(role: Session, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        role.execute(statement.encode())
