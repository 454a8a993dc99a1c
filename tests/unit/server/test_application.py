"""The ASGI application without a socket: what it does when it has too much, too little, or breaks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import httpx
import numpy as np
import pytest

from modelyard_api.contract.route import Route
from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.errors import OverloadedError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import ServedModel, Serving
from modelyard_server.state import ServerState
from modelyard_server.web.admin import make_admin
from modelyard_server.web.application import Application, Parts
from tests.support.predictors import ROW, Constant, Waiting, served

HEAVY_SECONDS = 1.0


@dataclass
class Counting:
    """The first value of each row; keeps how many rows each call had, and refuses negative ones."""

    calls: list[int] = field(default_factory=list)
    gives_probabilities: bool = False

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        del probabilities
        self.calls.append(len(matrix))
        if (matrix < 0).any():
            raise ValueError("negative")
        return Answer(matrix[:, 0])


async def never() -> None:
    """Keeps no route."""


def client_of(
    model: ServedModel | None, limits: AdmissionLimits | None = None
) -> tuple[httpx.AsyncClient, ServerState]:
    state, metrics = ServerState(), ServerMetrics()
    if model is not None:
        state.serving = Serving(Route(model_name="forest", champion=model.routed), model)
    admission = Admission(limits or AdmissionLimits(), metrics)
    parts = Parts(state, metrics, admission, 1_000_000, never, make_admin(state))
    transport = httpx.ASGITransport(Application(parts))
    return httpx.AsyncClient(transport=transport, base_url="http://server"), state


async def test_a_full_queue_sends_away_for_a_second_and_answers_what_it_holds() -> None:
    predictor = Waiting()
    client, state = client_of(served(predictor, HEAVY_SECONDS), AdmissionLimits(queued=2, threads=1))
    async with client:
        held = [asyncio.create_task(client.post("/predict", json=ROW)) for _ in range(2)]
        await asyncio.to_thread(predictor.entered.acquire)
        refused = await client.post("/predict", json=ROW)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        # What costs nothing is answered all the same.
        assert (await client.get("/v2/health/live")).status_code == 200
        predictor.let.set()
        assert [answer.status_code for answer in await asyncio.gather(*held)] == [200, 200]
    assert (state.requests, state.errors) == (3, 1)


async def test_more_requests_than_are_allowed_at_once_are_sent_away() -> None:
    predictor = Waiting()
    client, _ = client_of(served(predictor, HEAVY_SECONDS), AdmissionLimits(requests=1))
    async with client:
        held = asyncio.create_task(client.post("/predict", json=ROW))
        await asyncio.to_thread(predictor.entered.acquire)
        assert (await client.post("/predict", json=ROW)).status_code == 503
        predictor.let.set()
        assert (await held).status_code == 200


async def test_bodies_beyond_the_memory_for_them_are_sent_away() -> None:
    client, _ = client_of(served(Constant(Answer(np.zeros(1)))), AdmissionLimits(body_bytes=10))
    async with client:
        assert (await client.post("/predict", json=ROW)).status_code == 503


async def test_threads_of_a_closed_server_are_let_go() -> None:
    admission = Admission(AdmissionLimits(queued=0), ServerMetrics())
    with pytest.raises(OverloadedError):
        await admission.in_thread(lambda: 1)
    admission.close()


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/v2/models/forest/infer"])
async def test_a_fault_of_the_server_is_answered_in_the_dialect_and_says_nothing_of_its_inside(
    path: str,
) -> None:
    client, state = client_of(served(Constant(RuntimeError("secret of the server"))))
    bodies = {
        "/predict": ROW,
        "/invocations": {"instances": [ROW]},
        "/v2/models/forest/infer": {
            "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]
        },
    }
    async with client:
        answer = await client.post(path, json=bodies[path])
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()
    assert state.errors == 1


async def test_requests_for_a_model_that_gathers_are_asked_together_and_a_bad_one_is_refused_alone() -> None:
    predictor = Counting()
    model = served(predictor)
    client, state = client_of(replace(model, model=replace(model.model, gathers=True)))
    bodies = [ROW, {**ROW, "a": -1.0}, {**ROW, "a": "x"}, ROW]
    async with client:
        answers = await asyncio.gather(*(client.post("/predict", json=body) for body in bodies))
    assert [answer.status_code for answer in answers] == [200, 422, 400, 200]
    assert predictor.calls == [3, 1, 1, 1]
    assert (state.requests, state.errors) == (4, 0)


async def test_a_server_that_is_about_to_stop_is_not_ready_and_still_answers() -> None:
    client, state = client_of(served(Constant(Answer(np.zeros(1)))))
    state.draining = True
    async with client:
        assert (await client.get("/v2/health/ready")).status_code == 503
        assert (await client.get("/ping")).status_code == 503
        answer = await client.post("/predict", json=ROW)
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_a_server_without_a_model_answers_503_in_every_dialect() -> None:
    client, _ = client_of(None)
    async with client:
        for path in ("/predict", "/invocations", "/v2/models/forest/infer"):
            assert (await client.post(path, json=ROW)).status_code == 503
        assert (await client.get("/v2/models/forest")).status_code == 503
        assert (await client.get("/v2/models/forest/ready")).json() == {"name": "forest", "ready": False}
