"""The load of the serving benchmark: what it counts, and what it holds against whom."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from tests.bench.figures import Figure, summarise
from tests.bench.serving.goals import judgement, relations
from tests.bench.serving.load import closed_loop, open_loop, summary
from tests.bench.serving.names import FLOOR, MLSERVER, MODELYARD, RATE, of_rate

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
