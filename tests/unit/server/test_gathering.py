"""Requests that wait are asked for together, and one that cannot be answered spoils no other."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.dataplane import Asked
from modelyard_server.dialects.base import Query
from modelyard_server.errors import OverloadedError, RequestError
from modelyard_server.gathering import MOST_ROWS, Gatherer, outcomes
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer
from modelyard_server.signature import Rows
from tests.support.predictors import served
from tests.support.turns import turns_until

POISON = -1.0
HEAVY_SECONDS = 1.0


@dataclass
class Doubling:
    """Twice the first value of each row; keeps how many rows each call had, and may be held up."""

    calls: list[int] = field(default_factory=list)
    let: threading.Event | None = None
    gives_probabilities: bool = True

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        self.calls.append(len(matrix))
        if self.let is not None:
            self.let.wait(30)
        if (matrix == POISON).any():
            raise ValueError("a row is poisoned")
        return Answer(2 * matrix[:, 0], matrix[:, :1] if probabilities else None)


def asked(value: float, rows: int = 1, *, probabilities: bool = True) -> Asked:
    matrix = np.full((rows, 3), value)
    return Asked(Query(Rows(None, rows, matrix.tolist()), probabilities), matrix, 0.0)


def gatherer(predictor: Doubling, seconds: float = 1e-3, **limits: int) -> Gatherer:
    return Gatherer(served(predictor, seconds).model, Admission(AdmissionLimits(**limits), ServerMetrics()))


async def test_what_comes_in_one_turn_of_the_loop_is_one_call_and_each_gets_its_own_rows() -> None:
    predictor = Doubling()
    gathering = gatherer(predictor)
    answers = await asyncio.gather(*(gathering.predict(asked(value, rows=2)) for value in (1.0, 2.0, 3.0)))
    assert predictor.calls == [6]
    assert [answer.predictions.tolist() for answer in answers] == [[2, 2], [4, 4], [6, 6]]
    assert answers[1].probabilities is not None
    assert answers[1].probabilities.tolist() == [[2], [2]]


async def test_who_is_alone_is_asked_for_alone_and_at_once() -> None:
    predictor = Doubling()
    assert (await gatherer(predictor).predict(asked(1.0))).predictions.tolist() == [2]
    assert predictor.calls == [1]


async def test_a_poisoned_row_is_refused_alone() -> None:
    predictor = Doubling()
    gathering = gatherer(predictor)
    waiting = [gathering.predict(asked(value)) for value in (1.0, POISON, 3.0)]
    good, bad, other = await asyncio.gather(*waiting, return_exceptions=True)
    assert predictor.calls == [3, 1, 1, 1]
    assert isinstance(bad, RequestError)
    assert (bad.status, "a row is poisoned" in bad.message) == (422, True)
    assert isinstance(good, Answer)
    assert isinstance(other, Answer)
    assert (good.predictions.tolist(), other.predictions.tolist()) == ([2], [6])


async def test_a_call_has_no_more_rows_than_are_allowed_and_all_want_the_same() -> None:
    predictor = Doubling()
    gathering = gatherer(predictor)
    half = MOST_ROWS // 2
    wanted = [asked(1.0, half), asked(2.0, half), asked(3.0), asked(4.0, probabilities=False)]
    answers = await asyncio.gather(*map(gathering.predict, wanted))
    assert predictor.calls == [MOST_ROWS, 1, 1]
    assert answers[3].probabilities is None


async def test_requests_for_a_heavy_model_gather_while_its_threads_are_busy() -> None:
    predictor = Doubling(let=threading.Event())
    gathering = gatherer(predictor, HEAVY_SECONDS, threads=1)
    first = asyncio.create_task(gathering.predict(asked(1.0)))
    await turns_until(lambda: predictor.calls)
    rest = [asyncio.create_task(gathering.predict(asked(float(value)))) for value in range(2, 6)]
    await asyncio.sleep(0)
    assert predictor.let is not None
    predictor.let.set()
    answers = await asyncio.gather(first, *rest)
    assert [answer.predictions[0] for answer in answers] == [2, 4, 6, 8, 10]
    assert predictor.calls == [1, 4]


async def test_more_than_may_wait_for_a_heavy_model_are_sent_away() -> None:
    predictor = Doubling(let=threading.Event())
    gathering = gatherer(predictor, HEAVY_SECONDS, threads=1, queued=1)
    held = asyncio.create_task(gathering.predict(asked(1.0)))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await gathering.predict(asked(2.0))
    assert predictor.let is not None
    predictor.let.set()
    assert (await held).predictions.tolist() == [2]


async def test_a_client_that_leaves_takes_nobody_with_it() -> None:
    predictor = Doubling(let=threading.Event())
    gathering = gatherer(predictor, HEAVY_SECONDS, threads=1)
    tasks = [asyncio.create_task(gathering.predict(asked(float(value)))) for value in (1, 2)]
    await turns_until(lambda: predictor.calls)
    tasks[0].cancel()
    assert predictor.let is not None
    predictor.let.set()
    assert (await tasks[1]).predictions.tolist() == [4]


def test_an_answer_that_lacks_rows_is_not_handed_out() -> None:
    class Short(Doubling):
        def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
            return Answer(super().predict(matrix, probabilities=probabilities).predictions[:1])

    found = outcomes(Short(), [asked(1.0), asked(2.0)])
    assert [each.predictions.tolist() for each in found if isinstance(each, Answer)] == [[2], [4]]
