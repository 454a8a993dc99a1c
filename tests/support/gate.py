"""A way to stop a program exactly between two of its requests: a relay that holds what matches back."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

_CHUNK = 65_536


class Gate:
    """Relays connections to a port of the loopback, until a request that holds ``marker`` arrives.

    Before: that request is kept, neither passed on nor answered, and ``reached`` is set when it arrives. ``release``
    passes it on, and everything after it.
    After: it is passed on and carried out, but its answer is kept; ``reached`` is set when the answer arrives.
    """

    def __init__(self, port: int, marker: bytes, *, carried_out: bool = False) -> None:
        self.reached = threading.Event()
        self._target = port
        self._marker = marker
        self._carried_out = carried_out
        self._seen = threading.Event()
        self._released = threading.Event()
        self._closed = False
        self._idle: set[socket.socket] = set()
        """Connections to the server that nothing is sent to any more."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []

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
    def before(cls, port: int, marker: bytes) -> Iterator[Self]:
        """A gate for the time of the block."""
        with cls(port, marker)._opened() as gate:
            yield gate

    @classmethod
    @contextmanager
    def after(cls, port: int, marker: bytes) -> Iterator[Self]:
        """A gate for the time of the block that lets the request through and loses its answer."""
        with cls(port, marker, carried_out=True)._opened() as gate:
            yield gate

    def release(self) -> None:
        """Lets the program go on."""
        self._released.set()

    @contextmanager
    def _opened(self) -> Iterator[Self]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._close()

    def _close(self) -> None:
        self._closed = True
        self._released.set()
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self._start(client, self._connected(client), watched=True)

    def _connected(self, client: socket.socket) -> socket.socket:
        """A connection to the server whose answers go to the client."""
        server = socket.create_connection(("127.0.0.1", self._target))
        self._open.append(server)
        self._start(server, client, watched=False)
        return server

    def _start(self, source: socket.socket, target: socket.socket, *, watched: bool) -> None:
        threading.Thread(target=self._relay, args=(source, target, watched), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, watched: bool) -> None:  # noqa: FBT001
        with suppress(OSError):
            while content := source.recv(_CHUNK):
                if watched and self._marker in content and not self._released.is_set():
                    self._seen.set()
                    if not self._carried_out:
                        self._idle.add(target)
                        self.reached.set()
                        self._released.wait()
                        if self._closed:
                            return
                        # The server may have closed what was idle for so long.
                        target = self._connected(source)
                if not watched and self._carried_out and self._seen.is_set():
                    self.reached.set()
                    return
                target.sendall(content)
            if source not in self._idle:
                target.shutdown(socket.SHUT_WR)
