"""`python -m tests.bench.serving.load`: sends requests to one port and tells how long the answers took, as JSON.

A program of its own, so that it shares no interpreter with what it measures; one thread and epoll, so that it costs little.
Latencies of the open loop count from when a request was due, not from when a connection was free for it; so it must not be
late itself. It waits to the microsecond, where epoll knows milliseconds only, and tells how late it was all the same.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_READ_BYTES = 1 << 20
_GRACE_SECONDS = 2.0
"""Who is that late, after the last request was due, answers too late."""
_CONNECT_SECONDS = 5.0
_OPEN_CONNECTIONS = 64
_COARSE_SECONDS = 0.1
"""For so long it makes no difference that epoll knows milliseconds only."""
_SLACK = 1
"""Nanoseconds by which the kernel may wake us later than asked, to wake others with us; it takes 50,000 unless told."""
_PR_SET_TIMERSLACK = 29


@dataclass
class _Connection:
    sock: socket.socket
    due: float = 0.0
    received: bytes = b""
    busy: bool = False


@dataclass
class Seen:
    """What came back."""

    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    """Answers other than 200."""
    broken: int = 0
    """Connections that ended with a request on them."""
    late: list[float] = field(default_factory=list)
    """How long after it was due each request of the open loop was sent."""


class Client:
    """Connections to one server, each with at most one request on it."""

    def __init__(self, port: int, requests: Sequence[bytes], connections: int) -> None:
        self.seen = Seen()
        self._port = port
        self._requests = requests
        self._next = 0
        self._poll = select.epoll()
        self._held: dict[int, _Connection] = {}
        self.free: deque[_Connection] = deque()
        for _ in range(connections):
            self._connect()

    def send(self, due: float) -> None:
        """Puts the next request on a free connection."""
        connection = self.free.popleft()
        connection.due, connection.busy = due, True
        request = self._requests[self._next]
        self._next = (self._next + 1) % len(self._requests)
        try:
            connection.sock.sendall(request)
        except OSError:
            self._lose(connection)

    def receive(self, wait: float) -> None:
        """Takes what has come within so many seconds."""
        if 0 < wait < _COARSE_SECONDS:
            select.select((self._poll,), (), (), wait)
            wait = 0
        for number, _ in self._poll.poll(wait):
            connection = self._held[number]
            try:
                chunk = connection.sock.recv(_READ_BYTES)
            except OSError:
                chunk = b""
            if not chunk:
                self._lose(connection)
                continue
            connection.received += chunk
            status = _complete(connection.received)
            if status is None:
                continue
            self.seen.latencies.append(time.perf_counter() - connection.due)
            self.seen.refused += status != b"200"
            connection.received, connection.busy = b"", False
            self.free.append(connection)

    def close(self) -> None:
        """Ends all connections."""
        for connection in self._held.values():
            connection.sock.close()
        self._poll.close()

    @property
    def waiting(self) -> int:
        """Requests without an answer."""
        return len(self._held) - len(self.free)

    def _connect(self) -> None:
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=_CONNECT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock)
        self._held[sock.fileno()] = connection
        self._poll.register(sock.fileno(), select.EPOLLIN)
        self.free.append(connection)

    def _lose(self, connection: _Connection) -> None:
        """Counts what was on a connection that ended, and takes another in its place."""
        self.seen.broken += connection.busy
        number = connection.sock.fileno()
        self._poll.unregister(number)
        del self._held[number]
        if connection in self.free:
            self.free.remove(connection)
        connection.sock.close()
        self._connect()


def closed_loop(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Seen:
    """As many requests as the server answers, one on each connection at any time."""
    client = Client(port, requests, connections)
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        while client.free:
            client.send(now)
        client.receive(_COARSE_SECONDS)
    return _drained(client, end + _GRACE_SECONDS)


def open_loop(port: int, requests: Sequence[bytes], rate: float, seconds: float) -> Seen:
    """Requests at a steady rate, whatever the server does with them."""
    client = Client(port, requests, _OPEN_CONNECTIONS)
    start = time.perf_counter()
    count, sent = int(rate * seconds), 0
    while sent < count:
        now = time.perf_counter()
        while sent < count and start + sent / rate <= now and client.free:
            client.send(start + sent / rate)
            client.seen.late.append(time.perf_counter() - start - sent / rate)
            sent += 1
        late = sent < count and start + sent / rate <= now
        client.receive(_COARSE_SECONDS if late else max(0.0, start + sent / rate - time.perf_counter()))
        if now > start + seconds + _GRACE_SECONDS:
            # What was never sent is as lost as what was never answered.
            client.seen.broken += count - sent
            break
    return _drained(client, start + seconds + _GRACE_SECONDS)


def _drained(client: Client, end: float) -> Seen:
    """What is still to come until then."""
    while client.waiting and time.perf_counter() < end:
        client.receive(_COARSE_SECONDS)
    client.seen.broken += client.waiting
    client.close()
    return client.seen


def _complete(received: bytes) -> bytes | None:
    """The status of a response that is all there; None where more is to come."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return None
    lower = head.lower()
    place = lower.find(b"content-length:")
    if place >= 0:
        length = int(lower[place + 15 :].split(b"\r\n", 1)[0])
        return head[9:12] if len(body) >= length else None
    # Chunked; no contender answers with trailers.
    return head[9:12] if body.endswith(b"0\r\n\r\n") else None


def summary(seen: Seen, seconds: float) -> dict[str, float]:
    """Counts, and latencies in milliseconds."""
    ordered = sorted(seen.latencies)
    told = {"answers": float(len(ordered)), "seconds": seconds, "lost": float(seen.refused + seen.broken)}
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        told[name] = 1000 * _at(ordered, share)
    if seen.late:
        told["late"] = 1000 * _at(sorted(seen.late), 0.99)
    return told


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


def _wake_on_time() -> None:
    """Asks the kernel for timers as exact as it has them; where it does not take that, they stay as they are."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_TIMERSLACK, _SLACK, 0, 0, 0)


def main() -> None:
    """Reads the requests, one JSON string of Latin-1 a line, sends them, and prints the summary."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("requests", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate", type=float, help="open loop; without it, the loop is closed")
    given = parser.parse_args()
    requests = [json.loads(line).encode("latin-1") for line in given.requests.read_text().splitlines()]
    # A collection would be counted as the server's latency; nothing here has cycles.
    gc.disable()
    _wake_on_time()
    start = time.perf_counter()
    if given.rate is None:
        seen = closed_loop(given.port, requests, given.connections, given.seconds)
        # What was answered after the end belongs to the time that it took.
        seconds = time.perf_counter() - start
    else:
        seen = open_loop(given.port, requests, given.rate, given.seconds)
        seconds = given.seconds
    sys.stdout.write(json.dumps(summary(seen, seconds)))


if __name__ == "__main__":
    main()
