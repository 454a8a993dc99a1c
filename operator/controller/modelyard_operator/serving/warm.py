"""Asks warm loaders what became of the steps that they were handed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
from pydantic import ValidationError

from modelyard_api.contract.warm import WARM_PATH, WarmPage

_TIMEOUT = aiohttp.ClientTimeout(total=3, connect=1)
_FRESH = timedelta(seconds=0.4)
_TRUSTED = timedelta(seconds=15)
"""How long the last answer holds where no other comes."""


@dataclass(frozen=True)
class _Seen:
    asked: datetime
    answered: datetime
    page: WarmPage


class WarmLoaders:
    """One connection pool; each pod is asked at most twice a second, whoever wants to know."""

    def __init__(self, port: int, clock: Callable[[], datetime]) -> None:
        self._port = port
        self._clock = clock
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False)
        self._seen: dict[str, _Seen] = {}
        self._turn = asyncio.Lock()

    async def close(self) -> None:
        """Ends the connections."""
        await self._session.close()

    async def look(self, uid: str, address: str) -> WarmPage:
        """What a pod has begun; nothing where it does not answer."""
        async with self._turn:
            now = self._clock()
            known = self._seen.get(uid)
            if known is not None and now - known.asked < _FRESH:
                return known.page
            page = await self._ask(address)
            if page is not None:
                seen = _Seen(now, now, page)
            elif known is not None and now - known.answered < _TRUSTED:
                seen = _Seen(now, known.answered, known.page)
            else:
                seen = _Seen(now, now - _TRUSTED, WarmPage())
            self._seen = {key: item for key, item in self._seen.items() if now - item.asked < _TRUSTED}
            self._seen[uid] = seen
            return seen.page

    async def _ask(self, address: str) -> WarmPage | None:
        host = f"[{address}]" if ":" in address else address
        try:
            async with self._session.get(f"http://{host}:{self._port}{WARM_PATH}") as response:
                data = await response.read()
                return WarmPage.model_validate_json(data) if response.ok else None
        except (TimeoutError, aiohttp.ClientError, ValidationError):
            return None
