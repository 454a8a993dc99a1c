"""The operator's own port: metrics, and whether it is alive and ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from modelyard_operator.metrics import Metrics


@dataclass(frozen=True)
class Health:
    """Answers to the kubelet."""

    alive: Callable[[], str]
    """Why the process must be restarted; empty while it is well."""
    ready: Callable[[], str]
    """Why it does not work yet; empty once it does."""


async def serve(host: str, port: int, metrics: Metrics, health: Health) -> web.AppRunner:
    """Starts to answer; the caller cleans the runner up."""

    async def show_metrics(_: web.Request) -> web.Response:
        body = generate_latest(metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def probe(ask: Callable[[], str]) -> Callable[[web.Request], object]:
        async def answer(_: web.Request) -> web.Response:
            fault = ask()
            return web.Response(text=fault or "ok", status=503 if fault else 200)

        return answer

    app = web.Application()
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", probe(health.alive))  # type: ignore[arg-type]
    app.router.add_get("/readyz", probe(health.ready))  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
