"""How a worker speaks to Postgres: few waits, whole transactions, and only what is told again may be lost."""

from collections.abc import Iterator

import psycopg
import pytest

from modelyard_runtime.credentials import Login
from modelyard_runtime.retry import Patience
from modelyard_trainer.tuning.connection import Connection
from tests.support.postgres import PostgresServer, Project, postgres_endpoint
from tests.support.round_trips import RoundTrips
from tests.support.tuning import Studies, tuning

TRIALS = 30
BEATS = 25
"""Room for beats, one each three seconds, of a worker that is slow because the machine is busy; one more a trial would be 30."""


@pytest.fixture
def connection(postgres_server: PostgresServer, project: Project) -> Iterator[Connection]:
    """A connection with an empty table."""
    login = Login(project.username, project.password)
    made = Connection(postgres_endpoint(postgres_server, project), login, Patience(total=10))
    made.ask(lambda session: session.execute("CREATE TABLE said (word text NOT NULL)"))
    yield made
    made.close()


def said(connection: Connection) -> list[str]:
    return connection.ask(lambda session: [row[0] for row in session.execute("SELECT word FROM said")])


@pytest.mark.parametrize(
    ("pruner", "trips"),
    [(None, 2), ({"median": {"startupTrials": TRIALS}}, 4)],
    ids=["alone", "with a pruner"],
)
def test_a_trial_of_three_folds_waits_for_postgres_twice_and_with_a_pruner_once_more_for_each_fold_but_the_last(
    postgres_server: PostgresServer, project: Project, pruner: object, trips: int
) -> None:
    with RoundTrips.to(postgres_server.port) as relay:
        studies = Studies(postgres_server, project, port=relay.port)
        asked = tuning(trials=TRIALS, sampler={"random": {}}, pruner=pruner)
        worker = studies.worker(asked, folds=3)
        opened = relay.count
        assert worker.run() == TRIALS
        waited = relay.count - opened
        studies.close()
    assert trips * TRIALS <= waited <= trips * TRIALS + BEATS


def test_what_is_sent_together_is_written_together_or_not_at_all(connection: Connection) -> None:
    def work(session: psycopg.Connection) -> psycopg.Cursor:
        session.execute("INSERT INTO said VALUES ('first')")
        session.execute("INSERT INTO said VALUES (%s)", (second,))
        return session.execute("SELECT count(*) FROM said")

    second: str | None = None
    with pytest.raises(psycopg.errors.NotNullViolation):
        connection.together(work)
    assert said(connection) == []
    second = "second"
    assert connection.together(work).fetchone() == (2,)
    assert said(connection) == ["first", "second"]


def test_only_the_transaction_that_may_be_lost_does_not_wait_for_the_disk(connection: Connection) -> None:
    def work(session: psycopg.Connection) -> psycopg.Cursor:
        return session.execute("SHOW synchronous_commit")

    assert connection.together(work).fetchone() == ("on",)
    assert connection.together(work, may_be_lost=True).fetchone() == ("off",)
    assert connection.together(work).fetchone() == ("on",)


def test_an_interrupted_conversation_is_not_taken_up_again(connection: Connection) -> None:
    def interrupted(session: psycopg.Connection) -> None:
        session.execute("INSERT INTO said VALUES ('half')")
        raise KeyboardInterrupt

    processes = [connection.ask(lambda session: session.info.backend_pid)]
    with pytest.raises(KeyboardInterrupt):
        connection.together(interrupted)
    processes.append(connection.ask(lambda session: session.info.backend_pid))
    assert len(set(processes)) == 2
