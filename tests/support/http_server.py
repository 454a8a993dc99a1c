"""A real HTTP server on the loopback that misbehaves as a test wants it to."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.certificates import KeyPair


@dataclass
class Page:
    """What is served at one path, and how."""

    content: bytes = b""
    etag: str | None = '"one"'
    ranges: bool = True
    """Whether a range is served where it is asked for."""
    breaks: list[int] = field(default_factory=list)
    """Bytes after which the connection breaks, of each answer in turn; later answers are whole."""
    statuses: list[int] = field(default_factory=list)
    """Status of each answer in turn that is no file; later answers are."""
    length: int | None = None
    """Length that is said instead of the true one."""
    redirect: str | None = None
    authorization: str | None = None
    """Header field without which the answer is 401."""
    shift: int = 0
    """Bytes by which ranges begin too late."""


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    range: str | None
    if_range: str | None
    authorization: str | None
    host: str


@dataclass
class FileServer:
    """Pages may be changed at any time; ``asked`` are the requests so far."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: FileServer

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """One answer."""
        headers = self.headers
        asked = Asked(
            self.path, headers["Range"], headers["If-Range"], headers["Authorization"], headers["Host"]
        )
        self.files.asked.append(asked)
        self.close_connection = True
        page = self.files.pages.get(self.path)
        if page is None:
            self._empty(404)
        elif page.authorization is not None and asked.authorization != page.authorization:
            self._empty(401)
        elif page.statuses:
            self._empty(page.statuses.pop(0))
        elif page.redirect is not None:
            self._empty(302, Location=page.redirect)
        else:
            self._serve(page, asked)

    def _serve(self, page: Page, asked: Asked) -> None:
        start, status = 0, 200
        same = asked.if_range is None or asked.if_range == page.etag
        if asked.range is not None and page.ranges and same:
            start, status = int(asked.range.removeprefix("bytes=").removesuffix("-")) + page.shift, 206
        content = page.content[start:]
        self.send_response(status)
        if page.etag is not None:
            self.send_header("ETag", page.etag)
        if status == 206:
            end = len(page.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(page.content)}")
        self.send_header("Content-Length", str(len(content) if page.length is None else page.length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content[: page.breaks.pop(0)] if page.breaks else content)

    def _empty(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what tests are about."""


@contextmanager
def serving_files(pair: KeyPair | None = None) -> Iterator[FileServer]:
    """A server for the time of the block, with TLS where it is given a certificate."""

    class Handler(_Handler):
        pass

    server = _Server(("127.0.0.1", 0), Handler)
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if pair is None else "https"
    files = FileServer(f"{scheme}://127.0.0.1:{server.server_port}")
    Handler.files = files
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
