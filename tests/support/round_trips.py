"""A relay that counts how often a client waits for an answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

_CHUNK = 65_536


class RoundTrips:
    """Relays connections to a port of the loopback: a round trip begins where a client speaks after the server."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self._target = port
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]

    @property
    def port(self) -> int:
        """Where clients connect to."""
        return int(self._listener.getsockname()[1])

    @classmethod
    @contextmanager
    def to(cls, port: int) -> Iterator[Self]:
        """The relay for the time of the block."""
        relay = cls(port)
        threading.Thread(target=relay._accept, daemon=True).start()
        try:
            yield relay
        finally:
            for each in relay._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                spoken = _LastWord()
                threading.Thread(target=self._ask, args=(client, server, spoken), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, spoken), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, spoken: "_LastWord") -> None:
        with suppress(OSError):
            while content := client.recv(_CHUNK):
                with self._lock:
                    self.count += spoken.by_server
                    spoken.by_server = False
                server.sendall(content)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket, spoken: "_LastWord") -> None:
        with suppress(OSError):
            while content := server.recv(_CHUNK):
                with self._lock:
                    spoken.by_server = True
                client.sendall(content)
            client.shutdown(socket.SHUT_WR)


class _LastWord:
    """Who spoke last on a connection; a client speaks first."""

    by_server = True
