"""A page on loopback, as a pod would show it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from threading import Thread

from modelyard_runtime.page import page_at

_SECONDS = 10


@contextmanager
def served_page(path: str, content: Callable[[], bytes]) -> Iterator[int]:
    """The port of a server that shows it."""
    server = HTTPServer(("127.0.0.1", 0), page_at(path, content, _SECONDS))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
