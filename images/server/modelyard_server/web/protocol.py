"""uvicorn's HTTP protocol with the limits that it leaves out, and a short way for what is answered at once."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelyard_server.web.lane import Replying, message
from modelyard_server.web.replies import Turn

_MESSAGE_SECONDS = 60.0
"""From the first byte of a request to its last; a client that takes longer is let go."""
_HEAD_BYTES = 64 * 1024
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose requests do not end, and refuses heads that do not."""

    replying: Replying | None = None
    """Who answers at once; without it every request goes through the ASGI application."""
    _turn: Turn | None = None
    """What answers the request that is being read on the short way."""
    _body = b""
    _last = False
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = False
    _in_message = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock: a connection must bring a request."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts the bytes of the head, and times whatever did not come whole."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _HEAD_BYTES:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        if not self._in_message:
            self._disarm()
        elif self._deadline is None:
            self._arm()

    def on_message_begin(self) -> None:
        """A request starts."""
        self._in_head = self._in_message = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole: now it is known which way it goes."""
        self._in_head = False
        self._turn = self._at_once()
        self._body = b""
        if self._turn is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of its body."""
        if self._turn is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """It is whole."""
        self._in_message = False
        if self._turn is None:
            super().on_message_complete()
        else:
            self._reply(self._turn)

    def shutdown(self) -> None:
        """The server stops: what is being read on the short way is answered first, as on the long one."""
        if self._turn is None:
            super().shutdown()
        else:
            self._last = True

    def _at_once(self) -> Turn | None:
        """What answers right here: nothing while an earlier request is not answered, or answers are not taken off."""
        if self.replying is None or self.flow.write_paused:
            return None
        earlier = getattr(self, "cycle", None)
        if earlier is not None and not earlier.response_complete:
            return None
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if not parser.should_keep_alive():
            return None
        return self.replying.at_once(self.url.decode("latin-1"), self.headers)

    def _reply(self, turn: Turn) -> None:
        reply = turn(self._body)
        self._turn = None
        self._body = b""
        if self.transport.is_closing():
            return
        self.transport.write(message(reply, self.server_state.default_headers, close=self._last))
        if self._last:
            self.transport.close()
        self.on_response_complete()

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(_MESSAGE_SECONDS, self._give_up)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def answering(replying: Replying) -> type[BoundedProtocol]:
    """The protocol of a server whose application answers some requests at once."""
    return type("AnsweringProtocol", (BoundedProtocol,), {"replying": replying})
