"""A relay whose service goes away at some requests."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.support.outages import Outages


class Counter(ThreadingHTTPServer):
    """Answers everything, and knows what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Counter

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Counter]:
    server = Counter()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def tries(client: httpx.Client, path: str) -> int:
    """How often it has to be asked until there is an answer."""
    for number in range(1, 10):
        try:
            assert client.post(path, content=b"x" * 200_000).text == "ok"
        except httpx.TransportError:
            continue
        return number
    raise AssertionError("it never came back")


@pytest.mark.parametrize("carried_out", [False, True], ids=["before the request", "before its answer"])
def test_each_marker_is_one_outage_after_which_all_goes_on(service: Counter, carried_out: bool) -> None:  # noqa: FBT001
    with (
        Outages.at(service.server_port, [b"POST /b", b"POST /d"], carried_out=carried_out) as relay,
        httpx.Client(base_url=relay.url, trust_env=False) as client,
    ):
        needed = [tries(client, path) for path in ("/a", "/b", "/b", "/c", "/d", "/e")]
    assert needed == [1, 4, 1, 1, 4, 1]
    assert relay.left == []
    twice = 2 if carried_out else 1
    assert [service.asked.count(path) for path in ("/a", "/b", "/c", "/d", "/e")] == [
        1,
        1 + twice,
        1,
        twice,
        1,
    ]


def test_what_is_never_asked_is_left(service: Counter) -> None:
    with (
        Outages.at(service.server_port, [b"POST /never"], carried_out=False) as relay,
        httpx.Client(base_url=relay.url, trust_env=False) as client,
    ):
        assert tries(client, "/a") == 1
    assert relay.left == [b"POST /never"]
