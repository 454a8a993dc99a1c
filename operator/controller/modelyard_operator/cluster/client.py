"""The calls to the API server, typed by kind. Every write is fenced by the Lease."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic
from urllib.parse import urlencode

import aiohttp
from pydantic import BaseModel
from yarl import URL

from modelyard_api.labels import FIELD_MANAGER
from modelyard_operator.cluster.credentials import Credentials
from modelyard_operator.cluster.kinds import POD, Kind, Model
from modelyard_operator.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from modelyard_operator.objects.custom import ObjectList
from modelyard_operator.objects.meta import KubeObject

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_CHUNK = 250
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
_ERRORS: dict[int, type[ClusterError]] = {
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
}
_NOTHING: Mapping[str, str] = {}


class _Page(BaseModel, Generic[Model]):
    metadata: ObjectList = ObjectList()
    items: list[Model]


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = JSON


class Cluster:
    """One connection pool. ``fence`` raises where nothing may be written; it is asked before each write."""

    def __init__(self, credentials: Credentials, fence: Callable[[], None], *, connections: int = 32) -> None:
        self._credentials = credentials
        self._fence = fence
        connector = aiohttp.TCPConnector(limit=connections, ssl=credentials.ssl_context())
        # With trust_env aiohttp would look for netrc and proxies in a thread at every request.
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=_TIMEOUT,
            trust_env=False,
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Ends the connections."""
        await self._session.close()

    async def get(self, kind: Kind[Model], namespace: str, name: str) -> Model | None:
        """The object as it is now, or None."""
        try:
            data = await self._send(_Request("GET", kind.path(namespace, name)))
        except NotFoundError:
            return None
        return kind.model.model_validate_json(data)

    async def list(
        self, kind: Kind[Model], namespace: str, query: Mapping[str, str] = _NOTHING
    ) -> AsyncIterator[Model]:
        """Objects of a namespace, in chunks; ``query`` takes labelSelector and fieldSelector."""
        pages = _Page[kind.model]  # type: ignore[name-defined]
        parameters = {**query, "limit": str(_CHUNK)}
        while True:
            data = await self._send(_Request("GET", kind.path(namespace), parameters))
            page: _Page[Model] = pages.model_validate_json(data)
            for item in page.items:
                yield item
            if not page.metadata.continue_:
                return
            parameters["continue"] = page.metadata.continue_

    async def create(self, kind: Kind[Model], child: KubeObject) -> Model:
        """Makes an object. Raises AlreadyExistsError where one of this name is there, whoever's it is."""
        path = kind.path(_namespace(child))
        try:
            data = await self._write(_Request("POST", path, _manager(), _encode(child)))
        except ConflictError as error:
            raise AlreadyExistsError(error.status, error.reason, error.message) from error
        return kind.model.model_validate_json(data)

    async def apply(self, kind: Kind[Model], child: KubeObject) -> Model:
        """Makes an object what it should be, by server-side apply; fields of others stay as they are."""
        path = kind.path(_namespace(child), child.metadata.name)
        query = {**_manager(), "force": "true"}
        data = await self._write(_Request("PATCH", path, query, _encode(child), APPLY_PATCH))
        return kind.model.model_validate_json(data)

    async def patch(
        self, kind: Kind[Model], namespace: str, name: str, patch: Mapping[str, Any], subresource: str = ""
    ) -> Model:
        """Merge-patches an object; with a resourceVersion in it, only if the object is still that one."""
        path = kind.path(namespace, name, subresource)
        body = json.dumps(patch, separators=(",", ":")).encode()
        data = await self._write(_Request("PATCH", path, _manager(), body, MERGE_PATCH))
        return kind.model.model_validate_json(data)

    async def replace(self, kind: Kind[Model], child: KubeObject) -> Model:
        """Replaces an object, if it is still of its resourceVersion. Not fenced: the Lease itself is kept so."""
        path = kind.path(_namespace(child), child.metadata.name)
        data = await self._send(_Request("PUT", path, _manager(), _encode(child)))
        return kind.model.model_validate_json(data)

    async def create_unfenced(self, kind: Kind[Model], child: KubeObject) -> Model:
        """As ``create``, for the Lease."""
        try:
            data = await self._send(
                _Request("POST", kind.path(_namespace(child)), _manager(), _encode(child))
            )
        except ConflictError as error:
            raise AlreadyExistsError(error.status, error.reason, error.message) from error
        return kind.model.model_validate_json(data)

    async def delete(self, kind: Kind[Model], namespace: str, name: str, uid: str) -> None:
        """Removes just this object and, in the background, what it owns. Gone already is as good."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        try:
            await self._write(
                _Request("DELETE", kind.path(namespace, name), body=json.dumps(options).encode())
            )
        except (NotFoundError, ConflictError):
            return

    async def log_tail(self, namespace: str, pod: str, container: str, lines: int) -> str:
        """Last lines of a container's log; empty where there is none."""
        query = {"container": container, "tailLines": str(lines), "limitBytes": "16384"}
        try:
            data = await self._send(_Request("GET", POD.path(namespace, pod, "log"), query))
        except ClusterError:
            return ""
        return data.decode(errors="replace")

    async def _write(self, request: _Request) -> bytes:
        self._fence()
        return await self._send(request)

    async def _send(self, request: _Request) -> bytes:
        headers = {"Content-Type": request.content_type, "Accept": JSON}
        if token := self._credentials.bearer():
            headers["Authorization"] = f"Bearer {token}"
        query = f"?{urlencode(request.query)}" if request.query else ""
        url = URL(f"{self._credentials.server}{request.path}{query}", encoded=True)
        try:
            async with self._session.request(
                request.method, url, data=request.body, headers=headers
            ) as response:
                data = await response.read()
                if response.status < 300:  # noqa: PLR2004  the HTTP classes
                    return data
                raise _error(response, data)
        except (TimeoutError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise UnavailableError(f"the API server does not answer: {error!r}") from error


def _manager() -> dict[str, str]:
    return {"fieldManager": FIELD_MANAGER}


def _encode(child: KubeObject) -> bytes:
    return child.model_dump_json(by_alias=True, exclude_none=True).encode()


def _namespace(child: KubeObject) -> str:
    if not child.metadata.namespace:
        raise ValueError(f"{child.kind} {child.metadata.name} has no namespace")
    return child.metadata.namespace


def _error(response: aiohttp.ClientResponse, data: bytes) -> Exception:
    try:
        status = json.loads(data)
    except ValueError:
        status = {}
    reason = str(status.get("reason") or response.reason or "")
    message = str(status.get("message") or data[:500].decode(errors="replace"))
    code = response.status
    if code == 429 or code >= 500:  # noqa: PLR2004  asks for patience
        after = response.headers.get("Retry-After", "")
        return UnavailableError(f"{code} {reason}: {message}", float(after) if after.isdigit() else None)
    return _ERRORS.get(code, ClusterError)(code, reason, message)
