"""Which requests a candidate gets: the same for the same request id, and exactly its share of those without one."""

from __future__ import annotations

from hashlib import blake2b

_PARTS = 10_000
_PERCENT = _PARTS // 100
_HASH_BYTES = 8


class Share:
    """A share of the requests in percent. A larger one holds every request id of a smaller one."""

    def __init__(self, percent: int) -> None:
        self._percent = percent
        self._asked = 0

    def takes(self, request_id: bytes) -> bool:
        """Whether a request belongs to the share; an empty id is counted instead of hashed."""
        if request_id:
            hashed = int.from_bytes(blake2b(request_id, digest_size=_HASH_BYTES).digest())
            return hashed % _PARTS < self._percent * _PERCENT
        before = self._asked * self._percent // 100
        self._asked += 1
        return self._asked * self._percent // 100 > before
