"""Files as streams of bytes: unpacked within limits, and turned into UTF-8 with what is damaged marked."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from modelyard_loader.sources.values import DAMAGE
from modelyard_runtime.errors import DataError, InvalidSpecError

RATIO_LIMIT = 200
"""Times its packed size that a file may come to; text comes to about ten times, a zip bomb to a thousand."""
FREE_BYTES = 64 * 1024 * 1024
"""Bytes that any file may come to."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_SURROGATES = re.compile("[\ud800-\udfff]+")


class Stream(Protocol):
    """Bytes in order."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, none at the end."""
        ...


class UnpackedFile:
    """The bytes of a file that may be packed with gzip or zstd, which its first bytes tell."""

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._file = path.open("rb")
        head = self._file.read(4)
        self._file.seek(0)
        packing = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
        self._stream: Stream = self._file
        self._limit: int | None = None
        if packing is not None:
            self._limit = max(FREE_BYTES, RATIO_LIMIT * path.stat().st_size)
            self._stream = pa.CompressedInputStream(pa.PythonFile(self._file, mode="r"), packing)
        self.is_packed = packing is not None
        self._given = 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes. Raises DataError for a file that is broken, or comes to too much."""
        try:
            chunk = self._stream.read(size)
        except OSError as error:
            if self._limit is None:
                raise
            raise DataError(
                f"cannot be unpacked ({error})", field=self._name, remedy="put a whole file there"
            ) from error
        self._given += len(chunk)
        if self._limit is not None and self._given > self._limit:
            raise DataError(
                f"comes to more than {RATIO_LIMIT} times its packed size, as no table does",
                field=self._name,
                remedy="unpack the file before it is put there, if it is sound",
            )
        return chunk

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class Utf8Stream(io.RawIOBase):
    """Text of any encoding as UTF-8 without a mark at its beginning.

    Bytes that the encoding does not have become ``DAMAGE``, so that they spoil the row that they stand in and no
    other. A mark of UTF-8 or UTF-16 at the beginning stands above the encoding that was said.
    """

    def __init__(self, source: Stream, encoding: str, name: str) -> None:
        super().__init__()
        self._source = source
        self._name = name
        self._head: bytes | None = source.read(4)
        told = next((mark for mark in _MARKS if self._head.startswith(mark)), None)
        if told is not None:
            self._head = self._head[len(told) :]
            encoding = _MARKS[told]
        wide = encoding.casefold().replace("_", "-").startswith(("utf-16", "utf-32"))
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if wide else "surrogateescape")
        self._plain = not wide and codecs.lookup(encoding).name in _ASCII_INSIDE
        self._between = False
        self._ended = False
        self._rest = b""

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes of UTF-8, none at the end."""
        while len(self._rest) < max(size, 1) and not self._ended:
            chunk = self._source.read(size if size > 0 else io.DEFAULT_BUFFER_SIZE)
            if self._head is not None:
                chunk, self._head = self._head + chunk, None
            self._ended = not chunk
            self._rest += self._decoded(chunk)
        given, self._rest = (self._rest[:size], self._rest[size:]) if size > 0 else (self._rest, b"")
        return given

    def _decoded(self, chunk: bytes) -> bytes:
        if self._plain and not self._between and chunk.isascii():
            return chunk
        try:
            text = self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            if not self._ended:
                raise DataError(
                    f"has bytes that {error.encoding} does not know ({error.reason})",
                    field=self._name,
                    remedy="say its encoding in csv.encoding",
                ) from error
            text = DAMAGE
        self._between = bool(self._decoder.getstate()[0])
        try:
            return text.encode()
        except UnicodeEncodeError:
            return _SURROGATES.sub(DAMAGE, text).encode()


_ASCII_INSIDE = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "cp1250", "cp1251"})
"""Encodings in which a byte below 128 is that character of ASCII, wherever it stands."""


def check_encoding(encoding: str, field: str) -> None:
    """Raises InvalidSpecError for the name of no text encoding."""
    try:
        "a".encode(encoding)
        known = True
    except LookupError:
        known = False
    if not known:
        raise InvalidSpecError(
            "is not an encoding that is known here",
            field=field,
            value=encoding,
            remedy="use an IANA name such as UTF-8, UTF-16, windows-1252 or ISO-8859-1",
        )
