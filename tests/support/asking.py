"""Clients that ask a server without a pause while something happens to it."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import httpx

from tests.support.server_process import ServerProcess


class Clients:
    """Threads that ask without a pause, or with one, and count what they are told."""

    def __init__(
        self, server: ServerProcess, row: Mapping[str, Any], threads: int = 3, pause: float = 0
    ) -> None:
        self.codes: Counter[int | str] = Counter()
        self.versions: Counter[str] = Counter()
        self._server = server
        self._row = row
        self._pause = pause
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        with self._server.client() as client:
            while not self._end.wait(self._pause):
                try:
                    answer = client.post("/predict", json=self._row)
                except httpx.HTTPError as error:
                    self.codes[repr(error)] += 1
                    continue
                self.codes[answer.status_code] += 1
                if answer.is_success:
                    self.versions[answer.json()["model_version"]] += 1


@contextmanager
def asking(client: httpx.Client, row: Mapping[str, Any]) -> Iterator[list[int]]:
    """Asks again and again while the block runs; the list fills with the status of every answer."""
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            statuses.append(client.post("/predict", json={"rows": [row]}).status_code)
            stop.wait(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()
