"""The load: an asynchronous client that puts as little as possible between a document and its POST."""

import asyncio
import json
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

IN_FLIGHT = 20

_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


class Client:
    """One identity's connections to the API server; an asynchronous context manager."""

    def __init__(self, kubeconfig: Path) -> None:
        document = json.loads(kubeconfig.read_text())
        cluster = document["clusters"][0]["cluster"]
        user = document["users"][0]["user"]
        self._url: str = cluster["server"]
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._tls.load_cert_chain(user["client-certificate"], user["client-key"])

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=IN_FLIGHT)
        self._session = aiohttp.ClientSession(self._url, connector=connector, trust_env=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def create(self, path: str, document: Mapping[str, Any]) -> None:
        """POSTs one object into a collection."""
        await self._send("POST", path, document)

    async def create_all(self, path: str, documents: Iterable[Mapping[str, Any]]) -> None:
        """POSTs all objects, `IN_FLIGHT` at a time, in their order."""
        waiting = iter(documents)

        async def worker() -> None:
            for document in waiting:
                await self.create(path, document)

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(worker())

    async def patch(self, path: str, document: Mapping[str, Any]) -> None:
        """Merges a change into one object."""
        await self._send("PATCH", path, document, _MERGE_PATCH)

    async def delete_all(self, path: str) -> None:
        """Deletes a collection."""
        await self._send("DELETE", path)

    async def get(self, path: str) -> dict[str, Any]:
        """One object or collection."""
        return await self._send("GET", path)

    async def _send(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        headers = headers or {"Content-Type": "application/json"}
        body = None if document is None else json.dumps(document)
        async with self._session.request(method, path, data=body, headers=headers) as response:
            answer = await response.read()
            if not response.ok:
                raise RuntimeError(f"{method} {path}: {response.status} {answer[:500]!r}")
            answered: dict[str, Any] = json.loads(answer)
            return answered
