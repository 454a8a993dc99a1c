"""Asks running pods how far they are. A pod that does not answer is only less talkative."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import aiohttp
from pydantic import ValidationError

from modelyard_api.contract.progress import PROGRESS_PATH, StepProgress
from modelyard_operator.objects.steps import POLL_SECONDS, Page

_TIMEOUT = aiohttp.ClientTimeout(total=2, connect=1)
_FORGET_AFTER = timedelta(minutes=10)


class Pages:
    """One connection pool to all pods; each is asked once in some seconds, whoever wants to know."""

    def __init__(self, port: int, clock: Callable[[], datetime]) -> None:
        self._port = port
        self._clock = clock
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False)
        self._seen: dict[str, tuple[datetime, Page | None]] = {}

    async def close(self) -> None:
        """Ends the connections."""
        await self._session.close()

    async def look(self, uid: str, address: str) -> Page | None:
        """What a pod said last, at most ``POLL_SECONDS`` ago; None where it does not answer."""
        now = self._clock()
        known = self._seen.get(uid)
        # A timer may go off a little early.
        if known is not None and now - known[0] < timedelta(seconds=POLL_SECONDS * 0.9):
            return known[1]
        progress = await self._ask(address)
        page = Page(progress, now) if progress is not None else None
        self._seen = {key: seen for key, seen in self._seen.items() if now - seen[0] < _FORGET_AFTER}
        self._seen[uid] = (now, page)
        return page

    async def _ask(self, address: str) -> StepProgress | None:
        host = f"[{address}]" if ":" in address else address
        try:
            async with self._session.get(f"http://{host}:{self._port}{PROGRESS_PATH}") as response:
                data = await response.content.read(65536)
                return StepProgress.model_validate_json(data) if response.ok else None
        except (TimeoutError, aiohttp.ClientError, ValidationError):
            return None
