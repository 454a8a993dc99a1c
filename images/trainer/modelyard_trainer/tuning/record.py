"""The record of a study in Postgres: who works on which trial, what was tried and what it came to.

Trials are numbered without gaps under a lock of their study, so that there are never more than the budget. A worker
holds a trial by its fence; one that was silent for too long, or that came back after a restart, has it taken over with
the values that were chosen for it, and what the earlier holder still writes finds no row.

A trial waits for the disk twice: where one ends and the next is taken, and where values were chosen. How far it is, is told every
few seconds, and after each fold where a pruner asks for it, without waiting: all of that is told anew by whoever is at work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from modelyard_api.metrics import Direction
from modelyard_trainer.tuning.claims import (
    Claim,
    Done,
    Ended,
    send_claim,
    send_done,
    send_end,
    send_lock,
    send_release,
    send_values,
)
from modelyard_trainer.tuning.connection import Connection
from modelyard_trainer.tuning.history import History
from modelyard_trainer.tuning.tables import STATEMENTS
from modelyard_trainer.tuning.trial import State, Study, Trial, Values


@dataclass(frozen=True)
class Turn:
    """What became of a worker's turn."""

    written: bool
    """Whether the trial's end was written down; else another worker holds it."""
    claim: Claim | None
    """The next trial; None where none is left for now."""


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

        First the one that this worker held before it was restarted, then those of silent workers, then a new one. It is safe on the
        disk before anybody works on it: a number that a crash of Postgres forgot would be given out twice, with the same fence.
        """
        return self._taken(None).claim

    def end(self, ended: Ended) -> Turn:
        """Ends a trial and takes the next in the same transaction: both are the matter of one moment, and wait once.

        Doing it again, where its answer was lost, leaves the end as it is and hands the next trial out as after a restart.
        """
        return self._taken(ended)

    def choose(self, claim: Claim, values: Values) -> Trial | None:
        """Writes down what a trial tries, before it is tried: whoever takes it over tries the same.

        Returns a trial of a lower number that was judged on the same values under the same conditions. Raises LostTrialError.
        """
        same = (self._study.uid, self._study.context, claim.number, Jsonb(values))

        def work(session: psycopg.Connection) -> tuple[psycopg.Cursor, psycopg.Cursor[dict[str, Any]]]:
            chosen = send_values(session, self._study, claim, values)
            return chosen, _rows(session).execute(_SAME, same)

        chosen, known = self._connection.together(work)
        if not chosen.rowcount:
            raise claim.lost
        return next((trial_of(each) for each in known), None)

    def judged(self, claim: Claim, done: Done) -> list[Trial]:
        """Writes down how far a trial is, and returns all others in order: who prunes wants both. Raises LostTrialError.

        A crash of Postgres may take it back. The trial's next fold, or its end, writes all folds again, and until then others are
        compared with one rival less.
        """
        after = self._history.after

        def work(session: psycopg.Connection) -> tuple[psycopg.Cursor, psycopg.Cursor[dict[str, Any]]]:
            told = send_done(session, self._study, claim, done)
            return told, _rows(session).execute(_SINCE, (self._study.uid, after))

        told, rows = self._connection.together(work, may_be_lost=True)
        if not told.rowcount:
            raise claim.lost
        return [own for own in self._grown(rows) if own.number != claim.number]

    def beat(self, claim: Claim, done: Callable[[], Done]) -> None:
        """Says that the worker is alive, and how far its trial is when nothing else is being written. Raises LostTrialError.

        A crash of Postgres may take it back: the next is due before anybody takes silence for death.
        """
        told = self._connection.together(
            lambda session: send_done(session, self._study, claim, done()), may_be_lost=True
        )
        if not told.rowcount:
            raise claim.lost

    def release(self, claim: Claim) -> None:
        """Gives a trial back that was not ended. Raises LostTrialError."""
        if not self._connection.ask(lambda session: send_release(session, self._study, claim).rowcount):
            raise claim.lost

    def trials(self) -> list[Trial]:
        """All trials in the order of their numbers."""
        asked = (self._study.uid, self._history.after)
        return self._grown(self._connection.ask(lambda session: _rows(session).execute(_SINCE, asked)))

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

    def _taken(self, ended: Ended | None) -> Turn:
        study, after = self._study, self._history.after

        def work(session: psycopg.Connection) -> _Answers:
            send_lock(session, study)
            end = send_end(session, study, ended) if ended is not None else None
            claim = send_claim(session, study, self._worker)
            return _Answers(end, claim, _rows(session).execute(_SINCE, (study.uid, after)))

        answers = self._connection.together(work)
        written = answers.end is not None and answers.end.rowcount > 0
        taken = answers.claim.fetchone()
        if taken is None:
            return Turn(written, None)
        number, fence, values = taken
        before = [own for own in self._grown(answers.trials) if own.number < number]
        return Turn(written, Claim(number, fence, values, before))

    def _grown(self, rows: Iterable[dict[str, Any]]) -> list[Trial]:
        return self._history.grown_by([trial_of(row) for row in rows])


@dataclass(frozen=True)
class _Answers:
    """Cursors, whose answers come together."""

    end: psycopg.Cursor | None
    claim: psycopg.Cursor
    trials: psycopg.Cursor[dict[str, Any]]


_SINCE = "SELECT number, state, parameters, value, folds FROM tuning_trials WHERE job_uid = %s AND number > %s ORDER BY number"
_SAME = (
    "SELECT number, state, parameters, value, folds FROM tuning_trials WHERE job_uid = %s AND context = %s AND number < %s"
    " AND state = 'Completed' AND parameters = %s ORDER BY number LIMIT 1"
)


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
