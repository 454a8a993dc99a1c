"""Files of random and of damaged bytes: read or refused in words, never a stack trace, never a row made up."""

import gzip
import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_runtime.errors import StepError
from tests.support.sources import Reading

_PIECES = [
    b'"',
    b",",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"a",
    b"1",
    b"-",
    b"2024-05-01T10:00:00Z",
]
_JSON = [
    b"{",
    b"}",
    b'"x"',
    b":",
    b"1",
    b"null",
    b"\n",
    b",",
    b"[",
    b"]",
    b"1e999",
    b"\\u0000",
    b"\xff",
    b'"\\ud800"',
]


def _noise(seed: int, pieces: list[bytes]) -> bytes:
    draw = random.Random(seed)  # noqa: S311  bytes, not secrets
    return b"".join(draw.choices(pieces, k=draw.randrange(1, 400)))


def _damaged(seed: int, content: bytes) -> bytes:
    draw = random.Random(seed)  # noqa: S311  bytes, not secrets
    damaged = bytearray(content)
    for _ in range(draw.randrange(1, 6)):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    return bytes(damaged[: draw.randrange(1, len(damaged) + 1)])


def _read(directory: Path, name: str, content: bytes) -> None:
    try:
        given = Reading(directory).files({name: content})
    except StepError as error:
        assert error.message  # noqa: PT017
        assert "Traceback" not in error.message  # noqa: PT017
        return
    seen = [*given.numbers, *given.reasons]
    assert len(seen) == len(set(seen))
    assert given.table.num_rows == len(given.numbers)


@pytest.mark.parametrize("block", range(4))
def test_noise_as_csv(tmp_path: Path, block: int) -> None:
    for seed in range(block * 60, block * 60 + 60):
        _read(tmp_path, "a.csv", b"x,y\n" * (seed % 2) + _noise(seed, _PIECES))


@pytest.mark.parametrize("block", range(4))
def test_noise_as_json_lines(tmp_path: Path, block: int) -> None:
    for seed in range(block * 60, block * 60 + 60):
        _read(tmp_path, "a.jsonl", b'{"x": 1}\n' * (seed % 2) + _noise(seed, _JSON))


def test_damaged_packed_and_parquet_files(tmp_path: Path) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": list(range(200)), "y": [f"v {n}" for n in range(200)]}), sink)
    packed = gzip.compress(b"x,y\n" + b"1,two\n" * 200)
    for seed in range(60):
        _read(tmp_path, "a.parquet", _damaged(seed, sink.getvalue()))
        _read(tmp_path, "a.csv.gz", _damaged(seed, packed))
