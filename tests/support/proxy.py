"""Stands between an operator and the API server: counts writes, and does to requests what a test asks for."""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from tests.support.controlplane import ControlPlane
from tests.support.ports import free_port

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HOP = frozenset({"connection", "content-length", "transfer-encoding", "host", "keep-alive"})


@dataclass(frozen=True)
class Seen:
    """A request as a rule sees it."""

    method: str
    path: str
    is_watch: bool
    name: str = ""
    """Of the object that is made."""

    @property
    def is_write(self) -> bool:
        """Whether it changes something besides the Lease and events."""
        return self.method in WRITES and "/leases" not in self.path and "/events" not in self.path


@dataclass(frozen=True)
class Fault:
    """What happens to a request."""

    before: Callable[[], None] | None = None
    """Called in place of the API server; the connection breaks then."""
    after: Callable[[], None] | None = None
    """Called once the API server has done it; the answer is lost."""
    status: int | None = None
    """Answered in place of the API server."""
    silent: bool = False
    """A watch that is open and says nothing."""


@dataclass
class Proxy:
    """Rules may be changed at any time; ``writes`` are those that reached the API server."""

    url: str
    rule: Callable[[Seen], Fault | None] = lambda _: None
    writes: list[Seen] = field(default_factory=list)
    kubeconfig: Path = Path()

    async def handle(self, request: web.Request, upstream: aiohttp.ClientSession) -> web.StreamResponse:
        """One request."""
        body = await request.read()
        name = json.loads(body)["metadata"]["name"] if request.method == "POST" else ""
        is_watch = request.query.get("watch") == "true"
        seen = Seen(request.method, request.path, is_watch, name)
        fault = self.rule(seen) or Fault()
        if fault.before is not None:
            fault.before()
            raise web.HTTPServiceUnavailable
        if fault.status is not None:
            return web.json_response({"reason": "Test", "message": "as the test wants"}, status=fault.status)
        if fault.silent:
            await asyncio.sleep(600)
        if seen.is_write:
            self.writes.append(seen)
        return await self._forward(request, upstream, body, fault)

    async def _forward(
        self, request: web.Request, upstream: aiohttp.ClientSession, body: bytes, fault: Fault
    ) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        async with upstream.request(
            request.method, str(request.rel_url), data=body or None, headers=headers
        ) as answer:
            if fault.after is not None:
                await answer.read()
                fault.after()
                raise web.HTTPServiceUnavailable
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.content_type
            response.force_close()
            with suppress(ConnectionError):  # whoever asked is gone
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            return response


@contextmanager
def proxied(plane: ControlPlane, directory: Path) -> Iterator[Proxy]:
    """A proxy for the time of the block, with a kubeconfig that leads through it."""
    port = free_port()
    proxy = Proxy(f"http://127.0.0.1:{port}")
    proxy.kubeconfig = directory / f"proxied-{port}.kubeconfig"
    proxy.kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "proxied",
                "clusters": [{"name": "proxied", "cluster": {"server": proxy.url}}],
                "users": [{"name": "proxied", "user": {}}],
                "contexts": [{"name": "proxied", "context": {"cluster": "proxied", "user": "proxied"}}],
            }
        )
    )
    started, loop = threading.Event(), asyncio.new_event_loop()
    thread = threading.Thread(target=_serve, args=(loop, proxy, plane, port, started), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


def _serve(
    loop: asyncio.AbstractEventLoop, proxy: Proxy, plane: ControlPlane, port: int, started: threading.Event
) -> None:
    asyncio.set_event_loop(loop)
    running = _running(proxy, plane, port)
    loop.run_until_complete(running.__aenter__())
    started.set()
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(running.__aexit__(None, None, None))
        loop.run_until_complete(asyncio.sleep(0.1))  # transports say good-bye on the loop
        loop.close()


@asynccontextmanager
async def _running(proxy: Proxy, plane: ControlPlane, port: int) -> AsyncIterator[None]:
    config = yaml.safe_load(plane.kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
    trust.load_cert_chain(user["client-certificate"], user["client-key"])
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(ssl=trust, limit=0)
    async with aiohttp.ClientSession(plane.url, connector=connector, timeout=timeout) as upstream:

        async def handle(request: web.Request) -> web.StreamResponse:
            return await proxy.handle(request, upstream)

        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield
        finally:
            await runner.cleanup()
