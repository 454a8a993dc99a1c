"""The ASGI application without a socket: what it does when it has too much, too little, or breaks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import numpy as np
import pytest

from modelyard_api.contract.monitoring import LogSettings, MonitoringSettings
from modelyard_api.contract.route import STATE_PATH, Route, RouteState
from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.errors import OverloadedError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer
from modelyard_server.monitoring.logbook import Place
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.monitor import Monitor
from modelyard_server.series import Registry
from modelyard_server.serving import ServedModel, Serving
from modelyard_server.state import ServerState
from modelyard_server.web.admin import Admin, make_admin
from modelyard_server.web.admin import Application as Description
from modelyard_server.web.application import Application, Parts
from modelyard_server.web.asgi import Receive, Scope, Send, respond
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
    model: ServedModel | None, limits: AdmissionLimits | None = None, monitor: Monitor | None = None
) -> tuple[httpx.AsyncClient, ServerState]:
    state, metrics = ServerState(), ServerMetrics()
    if model is not None:
        state.serving = Serving(Route(model_name="forest", champion=model.routed), model)
    admission = Admission(limits or AdmissionLimits(), metrics)
    admin = make_admin(state, takes_labels=monitor is not None and monitor.logs)
    parts = Parts(state, metrics, admission, 1_000_000, never, admin, monitor=monitor)
    transport = httpx.ASGITransport(Application(parts))
    return httpx.AsyncClient(transport=transport, base_url="http://server"), state


async def test_the_description_is_made_when_somebody_first_looks_and_kept() -> None:
    made: list[str] = []

    async def description(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await respond(send, 200, scope["path"].encode())

    def make() -> Description:
        made.append("once")
        return description

    client = httpx.AsyncClient(transport=httpx.ASGITransport(Admin(make)), base_url="http://server")
    async with client:
        for path in ("/", "/docs-of-others", "/openapi"):
            assert (await client.get(path)).json() == {
                "error": f"there is nothing at {path}; /docs describes what there is"
            }
        assert not made
        for path in ("/docs", "/openapi.json", "/docs/oauth2-redirect"):
            assert (await client.get(path)).text == path
    assert made == ["once"]


def test_a_server_starts_without_what_describes_it() -> None:
    program = "import sys, modelyard_server.run; print([name for name in sys.modules if name.startswith('fastapi')])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=environment, timeout=300
    )
    assert said.stdout.strip() == b"[]"


async def test_the_operator_reads_the_state_of_the_route_and_only_reads_it() -> None:
    client, _ = client_of(served(Constant(Answer(np.zeros(1)))))
    async with client:
        told = await client.get(STATE_PATH)
        assert (told.status_code, told.headers["content-type"]) == (200, "application/json")
        assert RouteState.model_validate(told.json()).requests == 0
        assert "routeDigest" in told.json()
        assert (await client.post(STATE_PATH)).status_code == 405


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


def logging_monitor(*, logs: bool = True) -> Monitor:
    settings = MonitoringSettings(log=LogSettings() if logs else None)
    create: dict[str, bytes] = {}
    metrics = MonitoringMetrics(Registry())
    return Monitor(settings, Place("project", "shop", "pod"), create.__setitem__, metrics, lambda: 5.0)


@pytest.mark.parametrize(
    ("seconds", "gathers"),
    [(1e-5, False), (1e-5, True), (HEAVY_SECONDS, True), (HEAVY_SECONDS, False)],
    ids=["at once", "gathered", "gathered in a thread", "in a thread"],
)
async def test_an_answer_is_left_to_the_monitor_under_the_name_that_the_client_is_told(
    seconds: float,
    gathers: bool,  # noqa: FBT001
) -> None:
    monitor = logging_monitor()
    model = served(Constant(Answer(np.zeros(1))), seconds)
    model = replace(model, model=replace(model.model, gathers=gathers), tap=monitor.tap)
    client, _ = client_of(model, monitor=monitor)
    tensors = [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in ROW.items()
    ]
    async with client:
        named = await client.post("/predict", json=ROW, headers={"x-request-id": "mine"})
        nameless = [await client.post("/predict", json=ROW) for _ in range(2)]
        bad = await client.post("/predict", json=ROW, headers={"x-request-id": "x" * 129})
        await client.post("/v2/models/forest/infer", json={"id": "its own", "inputs": tensors})
    given = [answer.headers["x-request-id"] for answer in (*nameless, bad)]
    entries, dropped = monitor.tap.take()
    assert [entry.request_id for entry in entries] == ["mine", *given, "its own"]
    assert (named.headers["x-request-id"], len(set(given)), dropped) == ("mine", 3, 0)
    assert entries[0].matrix.tolist() == [[1.0, 2.0, 3.0]]


@dataclass(frozen=True)
class Overwriting:
    """Works in place, as a scaler with copy=False does."""

    gives_probabilities: bool = False

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        """Zeros, also where the inputs were."""
        del probabilities
        matrix[:] = 0
        return Answer(np.zeros(len(matrix)))


@pytest.mark.parametrize("gathers", [True, False])
async def test_the_monitor_sees_the_inputs_as_they_came_whatever_the_model_does_to_them(
    gathers: bool,  # noqa: FBT001
) -> None:
    monitor = logging_monitor()
    model = served(Overwriting())
    model = replace(model, model=replace(model.model, gathers=gathers), tap=monitor.tap)
    client, _ = client_of(model, monitor=monitor)
    async with client:
        assert (await client.post("/predict", json=ROW)).status_code == 200
    (entry,), _ = monitor.tap.take()
    assert entry.matrix.tolist() == [[1.0, 2.0, 3.0]]


async def test_an_answer_that_was_refused_is_not_left_to_the_monitor() -> None:
    monitor = logging_monitor()
    client, _ = client_of(replace(served(Constant(ValueError("no"))), tap=monitor.tap), monitor=monitor)
    async with client:
        assert (await client.post("/predict", json=ROW)).status_code == 422
    assert monitor.tap.take() == ([], 0)


async def test_labels_are_taken_one_by_one_and_many_at_once() -> None:
    client, state = client_of(None, monitor=logging_monitor())
    async with client:
        one = await client.post("/feedback", json={"request_id": "a", "label": "x"})
        labels = [{"request_id": "a", "row": row, "label": row / 2} for row in range(3)]
        many = await client.post("/feedback", json={"labels": labels})
    assert (one.status_code, one.json(), many.json()) == (202, {"accepted": 1}, {"accepted": 3})
    assert state.requests == 0


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ([], "JSON object"),
        ({}, "request_id"),
        ({"request_id": "x" * 129, "label": 1}, "1 to 128 characters"),
        ({"request_id": "a"}, '"label"'),
        ({"request_id": "a", "label": None}, '"label"'),
        ({"request_id": "a", "label": [1]}, '"label"'),
        ({"request_id": "a", "label": 1, "row": -1}, '"row"'),
        ({"request_id": "a", "label": 1, "row": True}, '"row"'),
        ({"request_id": "a", "label": 1, "rows": 1}, 'no field "rows"'),
        ({"request_id": "a", "label": "x" * 1025}, "at most 1024"),
        ({"labels": []}, "at least one"),
        ({"labels": [{"request_id": "a", "label": 1}, 5]}, "JSON object"),
        ({"labels": [{"request_id": "a", "label": 1}, {"label": 1}]}, "label 1:"),
    ],
)
async def test_a_label_that_says_too_little_is_refused_with_what_is_wrong(body: Any, word: str) -> None:  # noqa: ANN401
    client, _ = client_of(None, monitor=logging_monitor())
    async with client:
        answer = await client.post("/feedback", json=body)
    assert answer.status_code == 400
    assert word in answer.json()["error"]


async def test_labels_are_not_taken_where_nothing_is_logged() -> None:
    client, _ = client_of(None, monitor=logging_monitor(logs=False))
    async with client:
        answer = await client.post("/feedback", json={"request_id": "a", "label": 1})
        assert (await client.get("/feedback")).status_code == 405
    assert answer.status_code == 404
    assert "predictionLog" in answer.json()["error"]


@pytest.mark.parametrize("logs", [True, False])
async def test_the_description_has_a_path_for_labels_where_some_are_taken(logs: bool) -> None:  # noqa: FBT001
    client, _ = client_of(served(Constant(Answer(np.zeros(1)))), monitor=logging_monitor(logs=logs))
    async with client:
        document = (await client.get("/openapi.json")).json()
    assert ("/feedback" in document["paths"]) == logs
    assert ("Label" in document["components"]["schemas"]) == logs
