"""A service that goes away again and again, each time at another of a program's requests, and comes back."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self

_CHUNK = 65_536
_TURNED_AWAY = 2
"""Connections that are turned away before the service is back: who tries only once more does not get through."""


class Outages:
    """Relays connections to a port of the loopback, with an outage at the first request that holds each of the markers.

    The request is not passed on, or, if ``carried_out``, its answer is lost; all connections end, and the next two are
    turned away.
    """

    def __init__(self, port: int, markers: Sequence[bytes], *, carried_out: bool) -> None:
        self.left = list(markers)
        """Markers that no request has held yet."""
        self._target = port
        self._carried_out = carried_out
        self._away = 0
        self._lock = threading.Lock()
        self._losing: set[socket.socket] = set()
        """Connections to the service whose next answer is lost."""
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        """Where clients connect to."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The same for clients that speak HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    @contextmanager
    def at(cls, port: int, markers: Sequence[bytes], *, carried_out: bool) -> Iterator[Self]:
        """The relay for the time of the block."""
        relay = cls(port, markers, carried_out=carried_out)
        threading.Thread(target=relay._accept, daemon=True).start()
        try:
            yield relay
        finally:
            _end(relay._listener)
            with relay._lock:
                relay._drop()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    if self._away:
                        self._away -= 1
                        _end(client)
                        continue
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            _end(client)
            return
        with self._lock:
            self._open |= {client, server}
        threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
        threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while content := client.recv(_CHUNK):
                if self._is_hit(content, server):
                    return
                server.sendall(content)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while content := server.recv(_CHUNK):
                with self._lock:
                    if server in self._losing:
                        self._begin()
                        return
                client.sendall(content)
            client.shutdown(socket.SHUT_WR)

    def _is_hit(self, content: bytes, server: socket.socket) -> bool:
        """Whether the request is not to be passed on."""
        with self._lock:
            marker = next((own for own in self.left if own in content), None)
            if marker is None:
                return False
            self.left.remove(marker)
            if self._carried_out:
                self._losing.add(server)
                return False
            self._begin()
            return True

    def _begin(self) -> None:
        self._away = _TURNED_AWAY
        self._drop()

    def _drop(self) -> None:
        for each in self._open:
            _end(each)
        self._open.clear()
        self._losing.clear()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
