"""Asks pods, side by side, what they serve. A pod that does not answer just is not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
from pydantic import ValidationError

from modelyard_api.contract.route import STATE_PATH, RouteState

_TIMEOUT = aiohttp.ClientTimeout(total=3, connect=2)
_AT_ONCE = 20


class Servers:
    """One connection pool to all server pods."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False)
        self._limit = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        """Ends the connections."""
        await self._session.close()

    async def states(self, addresses: Mapping[str, str]) -> dict[str, RouteState]:
        """State by pod, from their addresses; pods that do not answer are left out."""
        states = await asyncio.gather(*(self._state(address) for address in addresses.values()))
        return {name: state for name, state in zip(addresses, states, strict=True) if state is not None}

    async def _state(self, address: str) -> RouteState | None:
        host = f"[{address}]" if ":" in address else address
        try:
            async with self._limit, self._session.get(f"http://{host}:{self._port}{STATE_PATH}") as response:
                data = await response.read()
                return RouteState.model_validate_json(data) if response.ok else None
        except (TimeoutError, aiohttp.ClientError, ValidationError):
            return None
