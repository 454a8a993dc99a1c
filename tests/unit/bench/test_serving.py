"""The load of the serving benchmark: what it counts, and what it holds against whom."""

from __future__ import annotations

import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.bench.figures import Figure, summarise
from tests.bench.serving.answers import compared
from tests.bench.serving.cases import Served
from tests.bench.serving.contenders import CONTENDERS
from tests.bench.serving.goals import judgement, listed, relations
from tests.bench.serving.load import Client, closed_loop, open_loop, summary
from tests.bench.serving.names import FLOOR, LIKELY, MLSERVER, MODELYARD, OTHERWISE, RATE, of_rate

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
REFUSAL = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A server that gives these answers in turn; an empty one ends the connection."""
    turn = count()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                answer = answers[next(turn) % len(answers)]
                if not answer:
                    return
                self.request.sendall(answer[:10])
                self.request.sendall(answer[10:])

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED])
def test_a_closed_loop_counts_whole_answers(answer: bytes) -> None:
    with answering(answer) as port:
        seen = closed_loop(port, [REQUEST], 4, 0.2)
    told = summary(seen, 0.2)
    assert told["answers"] > 10
    assert told["lost"] == 0
    assert 0 < told["p50"] <= told["p99"] <= told["p99.9"]


def test_an_open_loop_sends_as_many_as_the_rate_says_and_counts_from_when_they_were_due() -> None:
    with answering(WHOLE) as port:
        seen = open_loop(port, [REQUEST], 200, 0.25)
    assert (len(seen.latencies), seen.broken, seen.refused) == (50, 0, 0)
    assert len(seen.late) == 50
    assert 0 <= summary(seen, 0.25)["late"] <= 1000 * max(seen.late)


def test_the_load_waits_to_the_microsecond_since_what_it_sends_late_looks_like_a_slow_server() -> None:
    waits = []
    with answering(WHOLE) as port:
        client = Client(port, [REQUEST], 1)
        for _ in range(50):
            start = time.perf_counter()
            client.receive(0.0002)
            waits.append(time.perf_counter() - start)
        client.close()
    assert 0.0002 <= min(waits) < 0.001


def test_refusals_and_ended_connections_are_lost_requests() -> None:
    with answering(WHOLE, REFUSAL) as port:
        seen = open_loop(port, [REQUEST], 100, 0.2)
    assert (len(seen.latencies), seen.refused) == (20, 10)
    with answering(WHOLE, b"") as port:
        seen = open_loop(port, [REQUEST], 100, 0.2)
    assert (len(seen.latencies), seen.broken) == (10, 10)
    assert summary(seen, 0.2)["lost"] == 10


def test_our_rate_is_held_against_each_of_the_others_and_against_the_goals() -> None:
    case = "LogisticRegression, 30 numbers"
    rates = {MODELYARD: 30_000.0, FLOOR: 28_000.0, MLSERVER: 1_000.0}
    figures = [Figure(case, name, RATE, "", rate) for name, rate in rates.items()]
    figures.append(Figure(case, MODELYARD, of_rate(1000, "p99"), "ms", 4.0))
    told = judgement(summarise([*figures, *relations(figures)]))
    assert f"kept: {case}: rate relative to {MLSERVER} at least 15; measured 30" in told
    assert f"kept: {case}: rate relative to {FLOOR} at least 0.7; measured 1.07" in told
    assert f"MISSED: {case}: p99 at 1,000/s at most 3 ms; measured 4" in told
    assert f"not measured: {case}: RSS at most 120 MiB" in told
    page = listed(summarise([*figures, *relations(figures)])).splitlines()
    assert page == [f"- {line}" for line in told.splitlines()]


OURS = CONTENDERS[0]
X = np.arange(12.0).reshape(6, 2) / 7


def test_a_number_whose_last_bit_differs_is_counted_and_one_that_is_farther_off_is_no_answer() -> None:
    served = Served("line", LinearRegression().fit(X, X @ [1.0, 2.0]), X, compiled=True)
    answers = [{"predictions": [value], "probabilities": None} for value in served.expected]
    assert dict(compared(OURS, served, answers)) == {OTHERWISE: 0}
    bits = struct.unpack("q", struct.pack("d", served.expected[2]))[0]
    answers[2] = {"predictions": [struct.unpack("d", struct.pack("q", bits + 1))[0]]}
    assert dict(compared(OURS, served, answers)) == {OTHERWISE: 1}
    answers[2] = {"predictions": [served.expected[2] + 1e-6]}
    with pytest.raises(RuntimeError, match="row 2 is"):
        dict(compared(OURS, served, answers))


def test_labels_must_be_the_same_and_probabilities_are_told_by_how_far_they_are_off() -> None:
    model = LogisticRegression().fit(X, ["low"] * 3 + ["high"] * 3)
    served = Served("line", model, X, compiled=True)
    answers = [
        {"predictions": [label], "probabilities": [likely.tolist()]}
        for label, likely in zip(served.expected, model.predict_proba(X), strict=True)
    ]
    assert dict(compared(OURS, served, answers)) == {OTHERWISE: 0, LIKELY: 0}
    answers[1]["probabilities"][0][0] += 0.25
    assert dict(compared(OURS, served, answers))[LIKELY] == pytest.approx(0.25)
    answers[1]["predictions"] = ["high"]
    with pytest.raises(RuntimeError, match="row 1 is 'high', not 'low'"):
        dict(compared(OURS, served, answers))
