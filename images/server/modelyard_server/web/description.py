"""What people look at: the description of the interface, by FastAPI."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from modelyard_server.state import ServerState
from modelyard_server.web.admin import nothing_at
from modelyard_server.web.openapi import describe


def make_description(state: ServerState, *, takes_labels: bool) -> FastAPI:
    """``/docs`` and ``/openapi.json``; ``takes_labels`` says whether the interface has a path for true labels."""
    description = FastAPI(title="Modelyard", redoc_url=None)

    @description.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> JSONResponse:
        unknown = error.status_code == HTTPStatus.NOT_FOUND
        message = nothing_at(request.url.path) if unknown else str(error.detail)
        return JSONResponse({"error": message}, error.status_code, headers=error.headers)

    def openapi() -> dict[str, Any]:
        return describe(state.serving, takes_labels=takes_labels)

    description.openapi = openapi  # type: ignore[method-assign]
    return description
