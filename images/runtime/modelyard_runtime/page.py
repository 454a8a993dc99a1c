"""A page of JSON at one path of a small HTTP server: what pods say of themselves to the operator."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler


def page_at(path: str, content: Callable[[], bytes], seconds: float) -> type[BaseHTTPRequestHandler]:
    """Answers GET of ``path`` with what ``content`` gives then; one who asks has ``seconds`` to do so."""
    wanted = path

    class Page(BaseHTTPRequestHandler):
        timeout = seconds

        def do_GET(self) -> None:
            if self.path.split("?", maxsplit=1)[0] != wanted:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = content()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
            """Requests are not logged: there are some every few seconds."""

    return Page
