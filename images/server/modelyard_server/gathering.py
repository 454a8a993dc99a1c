"""Rows of several requests in one call of the model, where they wait anyway.

A call of scikit-learn costs nearly the same for ten rows as for one. Nobody is made to wait for company: what is there when the
model is free is asked together. A model that costs little is asked on the event loop, once for all requests that came in
the same turn of it; one that costs more is asked in a thread, and requests gather while all threads are busy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from modelyard_server.admission import Admission
from modelyard_server.dataplane import Asked, predict
from modelyard_server.models.loading import LoadedModel
from modelyard_server.models.predictor import Answer, Predictor

MOST_ROWS = 256
"""Rows of one call; more would make those who came first wait."""

Outcome = Answer | Exception


Tell = Callable[[Outcome], None]


class _Waiting(NamedTuple):
    asked: Asked
    tell: Tell


class Gatherer:
    """Asks one model for many requests. Used from the event loop only."""

    def __init__(self, model: LoadedModel, admission: Admission) -> None:
        self._predictor = model.predictor
        self._light = model.light
        self._admission = admission
        self._waiting: deque[_Waiting] = deque()
        self._scheduled = False
        self._threads = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def predict(self, asked: Asked) -> Answer:
        """The answer for one request. Raises what asking for it alone would, and OverloadedError."""
        if self._light:
            # It waits for no longer than this turn of the loop, and no more come than are admitted.
            return await self._future(asked)
        with self._admission.queue():
            return await self._future(asked)

    def put(self, asked: Asked, tell: Tell) -> None:
        """Has ``tell`` called with the answer, or with what is raised instead, when this turn of the loop is over."""
        self._waiting.append(_Waiting(asked, tell))
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def hurry(self) -> None:
        """Asks a light model now for all that is there."""
        if self._light:
            self._turn()

    def _future(self, asked: Asked) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.put(asked, partial(_settle, future))
        return future

    def _turn(self) -> None:
        """Everything that became ready in this turn of the loop has been put in; now it is asked for."""
        self._scheduled = False
        if self._light:
            while batch := self._taken():
                _tell(batch, outcomes(self._predictor, [each.asked for each in batch]))
            return
        while self._waiting and self._threads < self._admission.threads:
            self._threads += 1
            task = asyncio.ensure_future(self._in_thread(self._taken()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _in_thread(self, batch: Sequence[_Waiting]) -> None:
        asked = [each.asked for each in batch]
        stopped = RuntimeError("the server stopped before it answered")
        found: list[Outcome] = [stopped] * len(batch)
        try:
            found = await self._admission.run(lambda: outcomes(self._predictor, asked))
        finally:
            self._threads -= 1
            _tell(batch, found)
        self._turn()

    def _taken(self) -> list[_Waiting]:
        """The next requests that one call may answer: as many as fit, all of which want the same."""
        batch: list[_Waiting] = []
        rows = 0
        while self._waiting:
            query = self._waiting[0].asked.query
            rows += query.rows.count
            if batch and (rows > MOST_ROWS or query.probabilities != batch[0].asked.query.probabilities):
                break
            batch.append(self._waiting.popleft())
        return batch


def outcomes(predictor: Predictor, asked: Sequence[Asked]) -> list[Outcome]:
    """An answer, or what was raised, for every request. One that cannot be answered spoils no other."""
    if len(asked) > 1:
        try:
            return list(_together(predictor, asked))
        except Exception:  # noqa: BLE001, S110  which one it was shows when each is asked for alone
            pass
    return [_alone(predictor, each) for each in asked]


def _together(predictor: Predictor, asked: Sequence[Asked]) -> Sequence[Answer]:
    matrix = np.concatenate([each.matrix for each in asked])
    found = predictor.predict(matrix, probabilities=asked[0].query.probabilities)
    if len(found.predictions) != len(matrix):
        raise ValueError("the model did not answer every row")
    answers, start = [], 0
    for each in asked:
        end = start + each.query.rows.count
        likely = None if found.probabilities is None else found.probabilities[start:end]
        answers.append(Answer(found.predictions[start:end], likely))
        start = end
    return answers


def _alone(predictor: Predictor, asked: Asked) -> Outcome:
    try:
        return predict(predictor, asked)
    except Exception as error:  # noqa: BLE001  it is raised where the request waits
        return error


def _tell(batch: Sequence[_Waiting], found: Sequence[Outcome]) -> None:
    for each, outcome in zip(batch, found, strict=True):
        each.tell(outcome)


def _settle(future: asyncio.Future[Answer], outcome: Outcome) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
