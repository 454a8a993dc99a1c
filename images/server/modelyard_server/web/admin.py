"""What people and the operator ask for: the state of the route, and the description of the interface."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from modelyard_api.contract.route import STATE_PATH, RouteState
from modelyard_server.processes.siblings import Alone, of_pod
from modelyard_server.state import ServerState
from modelyard_server.web.openapi import describe


def make_admin(state: ServerState, siblings: Alone | None = None, *, takes_labels: bool = False) -> FastAPI:
    """``/admin/route``, ``/docs`` and ``/openapi.json``; every other path is unknown.

    ``takes_labels`` says whether the interface has a path for true labels.
    """
    admin = FastAPI(title="Modelyard", redoc_url=None)

    @admin.get(STATE_PATH, response_model_by_alias=True)
    async def route_state() -> RouteState:
        """The route that this server serves with all of its processes, and the one that it should."""
        return of_pod(state.route_state(), [] if siblings is None else await siblings.told())

    @admin.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> JSONResponse:
        message = str(error.detail)
        if error.status_code == HTTPStatus.NOT_FOUND:
            message = f"there is nothing at {request.url.path}; /docs describes what there is"
        return JSONResponse({"error": message}, error.status_code, headers=error.headers)

    def openapi() -> dict[str, Any]:
        return describe(state.serving, takes_labels=takes_labels)

    admin.openapi = openapi  # type: ignore[method-assign]
    return admin
