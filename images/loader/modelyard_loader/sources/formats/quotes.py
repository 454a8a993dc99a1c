"""Marks values that go on behind their closing quote, which a parser would silently join to what was quoted.

Whole pieces of a file are judged at once by where their quotes stand; only a piece in which one stands where RFC 4180 has
none is gone through value by value.
"""

from __future__ import annotations

import re

import numpy as np

from modelyard_loader.sources.formats.stream import Stream
from modelyard_loader.sources.values import STRAY

_PIECE_LIMIT = 32 * 1024 * 1024
"""Bytes without the end of a line that are kept; no row of that length can be read."""
_MARK = STRAY.encode()


class QuoteWatch:
    """A CSV file in UTF-8, with ``STRAY`` before each closing quote that text follows."""

    def __init__(self, source: Stream, delimiter: str, quote: str) -> None:
        self._source = source
        self._quote = quote.encode()
        self._behind = np.isin(np.arange(256), [*delimiter.encode(), *self._quote, *b"\r\n"])
        """Bytes that may stand behind a closing quote."""
        self._before = np.isin(np.arange(256), [*delimiter.encode(), *self._quote, *b"\n"])
        """Bytes that may stand before an opening quote."""
        self._quoted = re.compile(rb"[^Q]*(?:QQ[^Q]*)*".replace(b"Q", re.escape(self._quote)))
        self._rest_of_value = re.compile(rb"[^D\n]*".replace(b"D", re.escape(delimiter.encode())))
        self._inside = False
        self._ended = False
        self._kept = b""
        self._ready = b""
        self._judges = True

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, none at the end."""
        while len(self._ready) < size and not self._ended:
            chunk = self._source.read(size)
            self._ended = not chunk
            content = self._kept + chunk
            cut = content.rfind(b"\n") + 1 if chunk and self._judges else len(content)
            self._kept = content[cut:]
            self._ready += self._judged(content[:cut])
            if len(self._kept) > _PIECE_LIMIT:
                self._judges = False
        given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _judged(self, piece: bytes) -> bytes:
        if not self._judges or self._quote not in piece:
            return piece
        marked = self._as_it_should_be(piece)
        return self._value_by_value(piece) if marked is None else marked

    def _as_it_should_be(self, piece: bytes) -> bytes | None:
        """The piece, where quotes only open values, close them, or are doubled; else None."""
        content = np.frombuffer(b"\n" + piece + b"\n", np.uint8)
        quotes = np.flatnonzero(content == self._quote[0])
        opening = quotes[int(self._inside) :: 2]
        closing = quotes[int(not self._inside) :: 2]
        if not (self._before[content[opening - 1]].all() and self._behind[content[closing + 1]].all()):
            return None
        self._inside = bool((len(quotes) + self._inside) % 2)
        return piece

    def _value_by_value(self, piece: bytes) -> bytes:
        parts: list[bytes] = []
        copied = place = 0
        is_quoted = self._inside
        while place < len(piece):
            if not is_quoted and piece[place] == self._quote[0]:
                is_quoted, place = True, place + 1
            if is_quoted:
                place = self._match(self._quoted, piece, place)
                if place == len(piece):
                    self._inside = True
                    return b"".join([*parts, piece[copied:]])
                follows = piece[place + 1 : place + 2]
                if follows and not self._behind[follows[0]]:
                    parts += [piece[copied:place], _MARK]
                    copied = place
                place += 1
            place = self._match(self._rest_of_value, piece, place) + 1
            is_quoted = False
        self._inside = False
        return b"".join([*parts, piece[copied:]])

    @staticmethod
    def _match(pattern: re.Pattern[bytes], piece: bytes, place: int) -> int:
        found = pattern.match(piece, place)
        return place if found is None else found.end()
