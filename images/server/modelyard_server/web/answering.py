"""The protocol of a server that answers short requests where they are read; see ``lane``."""

from __future__ import annotations

from modelyard_server.web.lane import Replying, message
from modelyard_server.web.protocol import BoundedProtocol, WireLimits
from modelyard_server.web.replies import Turn


class AnsweringProtocol(BoundedProtocol):
    """Asks at the end of a request's head which way it goes."""

    replying: Replying | None = None
    """Who answers at once; without it every request goes through the ASGI application."""
    _turn: Turn | None = None
    """What answers the request that is being read on the short way."""
    _body = b""
    _last = False

    def hand_on(self) -> None:
        """See ``BoundedProtocol``."""
        self._turn = self._at_once()
        self._body = b""
        if self._turn is None:
            super().hand_on()

    def on_body(self, body: bytes) -> None:
        """Some of its body."""
        if self._turn is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """It is whole."""
        if self._turn is None:
            super().on_message_complete()
        else:
            self._in_message = False
            self._reply(self._turn)

    def shutdown(self) -> None:
        """The server stops: what is being read on the short way is answered first, as on the long one."""
        if self._turn is None:
            super().shutdown()
        else:
            self._last = True

    def _at_once(self) -> Turn | None:
        """What answers right here: nothing while an earlier request is not answered, or answers are not taken off."""
        if self.replying is None or self.flow.write_paused or self._answering:
            return None
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if not parser.should_keep_alive():
            return None
        return self.replying.at_once(self.url.decode("latin-1"), self.headers)

    def _reply(self, turn: Turn) -> None:
        self._turn = None
        if self.transport.is_closing():
            # It was refused, or its client is gone.
            return
        reply = turn(self._body)
        self._body = b""
        self.transport.write(message(reply, self.server_state.default_headers, close=self._last))
        if self._last:
            self.transport.close()
        self.on_response_complete()


def answering(replying: Replying, limits: WireLimits) -> type[AnsweringProtocol]:
    """The protocol of a server with these limits, whose application answers some requests at once."""
    return type("LimitedProtocol", (AnsweringProtocol,), {"replying": replying, "limits": limits})
