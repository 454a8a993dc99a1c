"""What is not asked often: the description of the interface, and paths that there are not.

What describes takes FastAPI, a fifth of a second of a start and 7 MiB that most servers do without: it is imported when
somebody first looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from modelyard_server.dialects.inference import InferenceDialect
from modelyard_server.errors import RequestError
from modelyard_server.state import ServerState
from modelyard_server.web.asgi import Receive, Scope, Send, respond
from modelyard_server.web.replies import refused

_DOCS, _OPENAPI = "/docs", "/openapi.json"

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Admin:
    """``/docs`` and ``/openapi.json``; every other path is unknown."""

    def __init__(self, make: Callable[[], Application]) -> None:
        self._make = make
        self._description: Application | None = None
        self._inference = InferenceDialect()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope["path"]
        if path not in (_OPENAPI, _DOCS) and not path.startswith(f"{_DOCS}/"):
            reply = refused(self._inference, RequestError(nothing_at(path), HTTPStatus.NOT_FOUND))
            await respond(send, reply.status, reply.body, headers=reply.headers)
            return
        if self._description is None:
            self._description = await asyncio.to_thread(self._make)
        await self._description(scope, receive, send)


def make_admin(state: ServerState, *, takes_labels: bool = False) -> Admin:
    """The description of what is served; ``takes_labels`` says whether the interface has a path for true labels."""
    return Admin(partial(_description, state, takes_labels=takes_labels))


def nothing_at(path: str) -> str:
    """What is said of a path that there is not."""
    return f"there is nothing at {path}; {_DOCS} describes what there is"


def _description(state: ServerState, *, takes_labels: bool) -> Any:  # noqa: ANN401  an application of FastAPI
    # Imported here: see the module.
    from modelyard_server.web.description import make_description  # noqa: PLC0415

    return make_description(state, takes_labels=takes_labels)
