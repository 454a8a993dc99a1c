"""The protocol of a server that answers short requests where they are read; see ``lane``."""

from __future__ import annotations

from typing import Any

from modelyard_server.web.lane import Known, Lane, Replying, Way, message
from modelyard_server.web.protocol import BoundedProtocol, WireLimits
from modelyard_server.web.replies import Reply, Turn

_END = b"\r\n\r\n"


class AnsweringProtocol(BoundedProtocol):
    """Asks at the end of a request's head which way it goes.

    A request that comes whole, behind a head that was read before, is not even read by the parser: it would find the same.
    """

    lane: Lane | None = None
    """Who answers at once; without it every request goes through the ASGI application."""
    _way: Way | None = None
    _turn: Turn | None = None
    """What answers the request that is being read on the short way."""
    _body = b""
    _data = b""
    """What is being read, where it began with a request."""
    _asked: Way | None = None
    """Who was asked at once and has not answered yet."""
    _last = False
    _idle_from = 0.0

    def data_received(self, data: bytes) -> None:
        """Answers what is known at a glance; the rest is read."""
        if self._asked is not None:
            self._await_answer()
        if self._known(data):
            return
        self._data = b"" if self._in_message else data
        super().data_received(data)
        self._data = b""

    def on_message_begin(self) -> None:
        """A request starts."""
        self._await_answer()
        super().on_message_begin()

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
            return
        self._in_message = False
        turn, body, self._turn, self._body = self._turn, self._body, None, b""
        self._learn(body)
        if not self.transport.is_closing():
            # Else it was refused, or its client is gone.
            self._ask(turn, body)

    def shutdown(self) -> None:
        """The server stops: what is being read on the short way is answered first, as on the long one."""
        self._last = True
        self._await_answer()
        if self._turn is None:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """What came is no request; the one before is answered first."""
        self._await_answer()
        super().send_400_response(msg)

    def timeout_keep_alive_handler(self) -> None:
        """Closes what was not used for long: short requests leave the clock running, and only say when they were."""
        self.timeout_keep_alive_task = None
        if self.transport.is_closing():
            return
        left = self._idle_from + self.timeout_keep_alive - self.loop.time()
        if left > 0 or not self._at_rest:
            self._keep_alive_for(max(left, 1.0))
        else:
            super().timeout_keep_alive_handler()

    @property
    def _answering(self) -> bool:
        return self._asked is not None or super()._answering

    def _known(self, data: bytes) -> bool:
        """Whether the data were one whole request of which all but the body is known, which is answered by now."""
        lane = self.lane
        cycle: Any = self.cycle  # None before the first request
        if lane is None or self._in_message or self._refused or self.flow.write_paused:
            return False
        if cycle is not None and not cycle.response_complete:
            return False
        end = data.find(_END) + len(_END)
        known = lane.known.get(data[:end])
        if known is None or len(data) != end + known.length or self.transport.is_closing():
            return False
        turn = known.way.turn()
        if turn is None:
            return False
        self._began = self.loop.time()
        self._way = known.way
        self._ask(turn, data[end:])
        return True

    def _learn(self, body: bytes) -> None:
        """Remembers the head of a request that came by itself and in one piece."""
        lane, way, data = self.lane, self._way, self._data
        end = data.find(_END) + len(_END)
        # Only where the parser found the body behind the same byte: heads may end otherwise.
        if lane is not None and way is not None and body and data[end:] == body:
            lane.learn(data[:end], Known(way, len(body)))

    def _at_once(self) -> Turn | None:
        """What answers right here: nothing while an earlier request is not answered, or answers are not taken off."""
        if self.lane is None or self.flow.write_paused or self._answering:
            return None
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if not parser.should_keep_alive():
            return None
        self._way = self.lane.replying.way(self.url.decode("latin-1"), self.headers)
        return None if self._way is None else self._way.turn()

    def _ask(self, turn: Turn, body: bytes) -> None:
        self._asked = self._way
        turn(body, self._deliver)

    def _await_answer(self) -> None:
        """Has what was asked at once answered now: requests are answered in the order in which they come."""
        if self._asked is not None:
            self._asked.hurry()

    def _deliver(self, reply: Reply) -> None:
        self._asked = None
        if self.transport.is_closing():
            return
        self.transport.write(message(reply, self.server_state.default_headers, close=self._last))
        self.server_state.total_requests += 1
        if self._last:
            self.transport.close()
            return
        self._idle_from = self._began
        if self.timeout_keep_alive_task is None:
            self._keep_alive_for(self.timeout_keep_alive)
            self._disarm()

    def _keep_alive_for(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


def answering(replying: Replying, limits: WireLimits) -> type[AnsweringProtocol]:
    """The protocol of a server with these limits, whose application answers some requests at once."""
    return type("LimitedProtocol", (AnsweringProtocol,), {"lane": Lane(replying), "limits": limits})
