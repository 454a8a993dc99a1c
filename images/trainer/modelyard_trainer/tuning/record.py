"""The record of a study in Postgres: who works on which trial, what was tried and what it came to.

Trials are numbered without gaps under a lock of their study, so that there are never more than the budget. A worker
holds a trial by its fence; one that was silent for too long, or that came back after a restart, has it taken over with
the values that were chosen for it, and what the earlier holder still writes finds no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from modelyard_api.metrics import Direction
from modelyard_trainer.tuning.connection import Connection
from modelyard_trainer.tuning.history import History
from modelyard_trainer.tuning.tables import STATEMENTS
from modelyard_trainer.tuning.trial import State, Trial, Values

STALE_SECONDS = 60.0
"""Silence after which another worker takes a trial over; a worker speaks every few seconds."""
MOST_LOSSES = 4
"""Workers that may die over a trial before it counts as failed: it may well be what kills them."""


class LostTrialError(Exception):
    """Another worker holds the trial now: what was found out about it is not wanted any more."""


@dataclass(frozen=True)
class Study:
    """What makes the trials of a job comparable."""

    uid: str
    job: str
    context: str
    """Digest of everything that a trial's value depends on besides its parameters."""
    metric: str
    direction: Direction
    budget: int
    """Trials at most."""
    seconds: float | None = None
    """Seconds of all trials together after which no further one begins."""
    cpu_seconds: float | None = None
    """The same for CPU time."""


@dataclass(frozen=True)
class Claim:
    """A trial that a worker holds."""

    number: int
    fence: int
    values: Values | None
    """Values that an earlier holder has chosen."""


@dataclass(frozen=True)
class Ending:
    """How a trial ended."""

    state: State
    value: float | None = None
    same_as: int | None = None
    """Trial with the same values, whose value it takes over."""
    message: str | None = None


@dataclass(frozen=True)
class Spent:
    """What a trial took so far."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Tally:
    """How far a study is."""

    counts: dict[State, int]
    seconds: float
    """Of all trials together."""
    best: float | None


class Record:
    """The trials of one study, as one worker sees and changes them."""

    def __init__(self, connection: Connection, study: Study, worker: int) -> None:
        self._connection = connection
        self._study = study
        self._worker = worker
        self._history = History()

    def prepare(self) -> None:
        """Makes the tables unless they are there."""

        def work(session: psycopg.Connection) -> None:
            for statement in STATEMENTS:
                session.execute(statement)

        self._connection.transact(work)

    def open(self, earlier: str | None) -> bool:
        """Makes the study unless it is there, with copies of the trials of an earlier job.

        Returns False where that job has left none; then there is no study either.
        """
        self.prepare()

        def work(session: psycopg.Connection) -> bool:
            if self._is_there(session):
                return True
            source = self._study_of(session, earlier) if earlier is not None else None
            if earlier is not None and source is None:
                return False
            if self._made(session) and source is not None:
                self._copy(session, source)
            return True

        return self._connection.transact(work)

    def claim(self) -> Claim | None:
        """A trial to work on; None where none is left for now.

        First the one that this worker held before it was restarted, then those of silent workers, then a new one.
        """
        return self._connection.transact(self._claimed)

    def choose(self, claim: Claim, values: Values) -> None:
        """Writes down what a trial tries. Raises LostTrialError."""
        self._write(claim, "parameters = %s", Jsonb(values))

    def judged(self, claim: Claim, folds: Sequence[float], spent: Spent) -> None:
        """Writes down the folds so far. Raises LostTrialError."""
        self._write(
            claim,
            "folds = %s, seconds = %s, cpu_seconds = %s, heartbeat_at = now()",
            list(folds),
            spent.seconds,
            spent.cpu_seconds,
        )

    def end(self, claim: Claim, ending: Ending, spent: Spent) -> None:
        """Ends a trial; doing it again does nothing. Raises LostTrialError."""
        self._write(
            claim,
            "state = %s, value = %s, same_as = %s, message = %s, seconds = %s, cpu_seconds = %s, ended_at = now()",
            ending.state,
            ending.value,
            ending.same_as,
            ending.message,
            spent.seconds,
            spent.cpu_seconds,
        )

    def beat(self, claim: Claim) -> None:
        """Says that the worker is alive. Raises LostTrialError."""
        self._write(claim, "heartbeat_at = now()")

    def release(self, claim: Claim) -> None:
        """Gives a trial back that was not ended. Raises LostTrialError."""
        self._write(claim, "worker = NULL, heartbeat_at = NULL")

    def known(self, values: Values, before: int) -> Trial | None:
        """A trial of a lower number that was judged on the same values under the same conditions."""

        def work(session: psycopg.Connection) -> Trial | None:
            row = _rows(session).execute(
                "SELECT number, state, parameters, value, folds FROM tuning_trials WHERE job_uid = %s"
                " AND context = %s AND number < %s AND state = 'Completed' AND parameters = %s"
                " ORDER BY number LIMIT 1",
                (self._study.uid, self._study.context, before, Jsonb(values)),
            )
            return next((trial_of(each) for each in row), None)

        return self._connection.ask(work)

    def trials(self) -> list[Trial]:
        """All trials in the order of their numbers."""
        after = self._history.after

        def work(session: psycopg.Connection) -> list[Trial]:
            query = (
                "SELECT number, state, parameters, value, folds FROM tuning_trials"
                " WHERE job_uid = %s AND number > %s ORDER BY number"
            )
            return [trial_of(row) for row in _rows(session).execute(query, (self._study.uid, after))]

        return self._history.grown_by(self._connection.ask(work))

    def table(self) -> list[dict[str, Any]]:
        """All that is recorded of the job's own trials, for people."""

        def work(session: psycopg.Connection) -> list[dict[str, Any]]:
            query = (
                "SELECT number, state, parameters, value, folds, same_as, message, worker, fence, seconds, cpu_seconds, started_at, ended_at"
                " FROM tuning_trials WHERE job_uid = %s AND number >= 0 ORDER BY number"
            )
            return _rows(session).execute(query, (self._study.uid,)).fetchall()

        return self._connection.ask(work)

    def tally(self) -> Tally:
        """How far the job's own trials are, in one query."""
        lowest = self._study.direction == Direction.MINIMIZE

        def work(session: psycopg.Connection) -> Tally:
            rows = session.execute(
                "SELECT state, count(*), sum(seconds),"
                " CASE WHEN %s THEN min(value) ELSE max(value) END FROM tuning_trials WHERE job_uid = %s AND number >= 0 GROUP BY state",
                (lowest, self._study.uid),
            ).fetchall()
            return Tally(
                counts={State(state): count for state, count, _, _ in rows},
                seconds=sum(seconds for _, _, seconds, _ in rows),
                best=next((value for state, *_, value in rows if state == State.COMPLETED), None),
            )

        return self._connection.ask(work)

    def is_running(self) -> bool:
        """Whether somebody holds a trial."""
        return State.RUNNING in self.tally().counts

    def failure(self) -> str | None:
        """Why the first trial that failed did so."""

        def work(session: psycopg.Connection) -> str | None:
            row = session.execute(
                "SELECT message FROM tuning_trials WHERE job_uid = %s AND state = 'Failed' ORDER BY number LIMIT 1",
                (self._study.uid,),
            ).fetchone()
            return None if row is None else str(row[0])

        return self._connection.ask(work)

    def _made(self, session: psycopg.Connection) -> int:
        study = self._study
        return session.execute(
            "INSERT INTO tuning_studies (job_uid, job, context, metric, direction, budget)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (study.uid, study.job, study.context, study.metric, study.direction, study.budget),
        ).rowcount

    def _is_there(self, session: psycopg.Connection) -> bool:
        query = "SELECT FROM tuning_studies WHERE job_uid = %s"
        return session.execute(query, (self._study.uid,)).fetchone() is not None

    def _study_of(self, session: psycopg.Connection, earlier: str) -> str | None:
        """The last study of a job of that name by the same metric."""
        row = session.execute(
            "SELECT job_uid FROM tuning_studies s WHERE job = %s AND job_uid <> %s AND metric = %s AND EXISTS"
            " (SELECT FROM tuning_trials t WHERE t.job_uid = s.job_uid AND number >= 0 AND state = 'Completed')"
            " ORDER BY started_at DESC LIMIT 1",
            (earlier, self._study.uid, self._study.metric),
        ).fetchone()
        return None if row is None else str(row[0])

    def _copy(self, session: psycopg.Connection, source: str) -> None:
        """Completed trials of another study, those that it took over included, under numbers below 0."""
        session.execute(
            "INSERT INTO tuning_trials (job_uid, number, state, context, parameters, value, fence)"
            " SELECT %s, -(row_number() OVER (ORDER BY number DESC)), state, context, parameters, value, 0"
            " FROM tuning_trials WHERE job_uid = %s AND state = 'Completed'",
            (self._study.uid, source),
        )

    def _claimed(self, session: psycopg.Connection) -> Claim | None:
        uid = self._study.uid
        session.execute("SELECT FROM tuning_studies WHERE job_uid = %s FOR UPDATE", (uid,))
        session.execute(
            "UPDATE tuning_trials SET state = 'Failed', ended_at = now(), fence = fence + 1, message ="
            " format('%%s workers in a row died over it, as they do where memory is too little', losses + 1)"
            " WHERE job_uid = %s AND state = 'Running' AND losses + 1 >= %s"
            " AND (worker = %s OR heartbeat_at < now() - make_interval(secs => %s))",
            (uid, MOST_LOSSES, self._worker, STALE_SECONDS),
        )
        taken = session.execute(
            "UPDATE tuning_trials SET fence = fence + 1, losses = losses + (worker IS NOT NULL)::integer,"
            " worker = %s, heartbeat_at = now(), folds = '{}'"
            " WHERE job_uid = %s AND number = (SELECT number FROM tuning_trials WHERE job_uid = %s"
            " AND state = 'Running' AND (worker IS NULL OR worker = %s"
            " OR heartbeat_at < now() - make_interval(secs => %s))"
            " ORDER BY number LIMIT 1) RETURNING number, fence, parameters",
            (self._worker, uid, uid, self._worker, STALE_SECONDS),
        ).fetchone()
        if taken is not None:
            return Claim(*taken)
        return self._begun(session)

    def _begun(self, session: psycopg.Connection) -> Claim | None:
        study = self._study
        row = session.execute(
            "SELECT count(*), coalesce(sum(seconds), 0), coalesce(sum(cpu_seconds), 0)"
            " FROM tuning_trials WHERE job_uid = %s AND number >= 0",
            (study.uid,),
        ).fetchone()
        assert row is not None  # noqa: S101  an aggregate has a row
        count, seconds, cpu_seconds = row
        if (
            count >= study.budget
            or (study.seconds is not None and seconds >= study.seconds)
            or (study.cpu_seconds is not None and cpu_seconds >= study.cpu_seconds)
        ):
            return None
        session.execute(
            "INSERT INTO tuning_trials (job_uid, number, state, context, worker, heartbeat_at, started_at)"
            " VALUES (%s, %s, 'Running', %s, %s, now(), now())",
            (study.uid, count, study.context, self._worker),
        )
        return Claim(count, 1, None)

    def _write(self, claim: Claim, change: LiteralString, *values: Any) -> None:  # noqa: ANN401  whatever a column takes
        """Changes a row that the worker still holds."""
        statement = sql.SQL("UPDATE tuning_trials SET {} WHERE job_uid = %s AND number = %s AND fence = %s")

        def work(session: psycopg.Connection) -> int:
            row = (*values, self._study.uid, claim.number, claim.fence)
            return session.execute(statement.format(sql.SQL(change)), row).rowcount

        if not self._connection.ask(work):
            raise LostTrialError(f"trial {claim.number} was taken over by another worker")


def _rows(session: psycopg.Connection) -> psycopg.Cursor[dict[str, Any]]:
    return session.cursor(row_factory=dict_row)


def trial_of(row: dict[str, Any]) -> Trial:
    """The trial in a row of the record."""
    return Trial(
        number=row["number"],
        state=State(row["state"]),
        values=row["parameters"],
        value=row["value"],
        folds=tuple(row["folds"]),
    )
