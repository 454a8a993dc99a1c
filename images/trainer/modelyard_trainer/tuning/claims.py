"""What is said to Postgres of one trial in the hands of a worker: how it is taken, told of and ended.

Every statement names the fence that the worker has got with the trial, so that what an earlier holder still says finds no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from modelyard_trainer.tuning.trial import State, Study, Trial, Values

STALE_SECONDS = 60.0
"""Silence after which another worker takes a trial over; a worker speaks every few seconds."""
MOST_LOSSES = 4
"""Workers that may die over a trial before it counts as failed: it may well be what kills them."""


class LostTrialError(Exception):
    """Another worker holds the trial now: what was found out about it is not wanted any more."""


@dataclass(frozen=True)
class Claim:
    """A trial that a worker holds."""

    number: int
    fence: int
    values: Values | None
    """Values that an earlier holder has chosen."""
    before: Sequence[Trial] = ()
    """All trials of lower numbers when this one was taken, in order; those of an earlier job have numbers below 0."""

    @property
    def lost(self) -> LostTrialError:
        """What is raised where somebody else holds it."""
        return LostTrialError(f"trial {self.number} was taken over by another worker")


@dataclass(frozen=True)
class Ending:
    """How a trial ended."""

    state: State
    value: float | None = None
    same_as: int | None = None
    """Trial with the same values, whose value it takes over."""
    message: str | None = None


@dataclass(frozen=True)
class Done:
    """How far a trial is: what its folds came to, and what they took in seconds."""

    folds: Sequence[float]
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Ended:
    """A trial with its end."""

    claim: Claim
    ending: Ending
    done: Done


def send_values(session: psycopg.Connection, study: Study, claim: Claim, values: Values) -> psycopg.Cursor:
    """Writes down what a trial tries."""
    return session.execute(_CHOOSE, {**_held(study, claim), "parameters": Jsonb(values)})


def send_done(session: psycopg.Connection, study: Study, claim: Claim, done: Done) -> psycopg.Cursor:
    """Writes down how far a trial is. One that has ended stays as it is: the thread that beats may be late."""
    return session.execute(_TELL, {**_held(study, claim), **_columns(done)})


def send_end(session: psycopg.Connection, study: Study, ended: Ended) -> psycopg.Cursor:
    """Ends a trial; doing it again changes nothing but the time of its end."""
    ending = ended.ending
    columns = {
        "state": ending.state,
        "value": ending.value,
        "same_as": ending.same_as,
        "message": ending.message,
        **_columns(ended.done),
    }
    return session.execute(_END, {**_held(study, ended.claim), **columns})


def send_release(session: psycopg.Connection, study: Study, claim: Claim) -> psycopg.Cursor:
    """Gives a trial back that has not ended."""
    return session.execute(_RELEASE, _held(study, claim))


def send_lock(session: psycopg.Connection, study: Study) -> None:
    """Holds the study until the transaction ends; what follows sees what was committed before.

    It comes first in a transaction that takes a trial. Whoever waits for it with a trial's row in hand would wait for a
    worker that takes that very trial over.
    """
    session.execute("SELECT FROM tuning_studies WHERE job_uid = %s FOR UPDATE", (study.uid,))


def send_claim(session: psycopg.Connection, study: Study, worker: int) -> psycopg.Cursor:
    """Takes a trial; the cursor has its number, fence and values, or no row where none is left for now.

    First the one that this worker held before it was restarted, then those of silent workers, then a new one.
    """
    mine = {
        "uid": study.uid,
        "worker": worker,
        "stale": STALE_SECONDS,
        "losses": MOST_LOSSES,
        "context": study.context,
        "budget": study.budget,
        "seconds": study.seconds,
        "cpu": study.cpu_seconds,
    }
    session.execute(_FAIL, mine)
    return session.execute(_TAKE, mine)


_FAIL = """
UPDATE tuning_trials SET state = 'Failed', ended_at = now(), fence = fence + 1,
 message = format('%%s workers in a row died over it, as they do where memory is too little', losses + 1)
WHERE job_uid = %(uid)s AND state = 'Running' AND losses + 1 >= %(losses)s
 AND (worker = %(worker)s OR heartbeat_at < now() - make_interval(secs => %(stale)s))
"""
_TAKE = """
WITH taken AS (
 UPDATE tuning_trials SET fence = fence + 1, losses = losses + (worker IS NOT NULL)::integer,
  worker = %(worker)s, heartbeat_at = now(), folds = '{}'
 WHERE job_uid = %(uid)s AND number = (
  SELECT number FROM tuning_trials WHERE job_uid = %(uid)s AND state = 'Running'
   AND (worker IS NULL OR worker = %(worker)s OR heartbeat_at < now() - make_interval(secs => %(stale)s))
  ORDER BY number LIMIT 1)
 RETURNING number, fence, parameters
), spent AS (
 SELECT count(*) AS trials, coalesce(sum(seconds), 0) AS seconds, coalesce(sum(cpu_seconds), 0) AS cpu
 FROM tuning_trials WHERE job_uid = %(uid)s AND number >= 0
), begun AS (
 INSERT INTO tuning_trials (job_uid, number, state, context, worker, heartbeat_at, started_at)
 SELECT %(uid)s, trials, 'Running', %(context)s, %(worker)s, now(), now() FROM spent
 WHERE NOT EXISTS (SELECT FROM taken) AND trials < %(budget)s
  AND coalesce(seconds < %(seconds)s::double precision, true) AND coalesce(cpu < %(cpu)s::double precision, true)
 RETURNING number, fence, parameters
)
SELECT * FROM taken UNION ALL SELECT * FROM begun
"""


_CHOOSE = """
UPDATE tuning_trials SET parameters = %(parameters)s
WHERE job_uid = %(uid)s AND number = %(number)s AND fence = %(fence)s
"""
_TELL = """
UPDATE tuning_trials SET folds = %(folds)s, seconds = %(seconds)s, cpu_seconds = %(cpu)s, heartbeat_at = now()
WHERE job_uid = %(uid)s AND number = %(number)s AND fence = %(fence)s AND state = 'Running'
"""
_END = """
UPDATE tuning_trials SET state = %(state)s, value = %(value)s, same_as = %(same_as)s, message = %(message)s,
 folds = %(folds)s, seconds = %(seconds)s, cpu_seconds = %(cpu)s, ended_at = now()
WHERE job_uid = %(uid)s AND number = %(number)s AND fence = %(fence)s
"""
_RELEASE = """
UPDATE tuning_trials SET worker = NULL, heartbeat_at = NULL
WHERE job_uid = %(uid)s AND number = %(number)s AND fence = %(fence)s AND state = 'Running'
"""


def _held(study: Study, claim: Claim) -> dict[str, Any]:
    return {"uid": study.uid, "number": claim.number, "fence": claim.fence}


def _columns(done: Done) -> dict[str, Any]:
    return {"folds": list(done.folds), "seconds": done.seconds, "cpu": done.cpu_seconds}
