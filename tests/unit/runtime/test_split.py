"""The split: a function of seed and key alone."""

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.split import held_out, row_hashes
from tests.support.columns import Value, hash_of

_VECTORS = json.loads(Path("tests/data/digests/split.json").read_text())
_ROWS = 20_000


def _numbered(rows: int = _ROWS) -> pa.Table:
    return pa.table({"id": np.arange(1, rows + 1)})


def _hash(key: list[Value], seed: int) -> int:
    table = pa.table({f"k{number}": [value] for number, value in enumerate(key)})
    return int(row_hashes(table, table.column_names, seed)[0])


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: f"{vector['key']} {vector['seed']}")
def test_a_vector_has_the_hash_that_was_written_down(vector: dict[str, object]) -> None:
    key, seed = json.loads(json.dumps([vector["key"], vector["seed"]]))
    assert f"{_hash(key, seed):016x}" == vector["hash"]


def test_texts_of_every_length_hash_as_their_plain_definition_says() -> None:
    chance = random.Random(3)  # noqa: S311  not a secret
    texts = ["".join(chance.choices("abé日", k=length % 37)) for length in range(500)]
    hashes = row_hashes(pa.table({"t": texts}), ["t"], 7)
    assert hashes.tolist() == [hash_of([text], 7) for text in texts]


def test_texts_in_chunks_and_slices_hash_as_whole_ones() -> None:
    texts = pa.table({"t": [f"title {number}" for number in range(100)]})
    pieces = pa.concat_tables([texts.slice(0, 33), texts.slice(33, 1), texts.slice(34)])
    whole = row_hashes(texts, ["t"], 1)
    assert (row_hashes(pieces, ["t"], 1) == whole).all()
    assert (row_hashes(texts.slice(40, 20), ["t"], 1) == whole[40:60]).all()


def test_a_row_keeps_its_part_while_others_arrive() -> None:
    late, early = _numbered(), _numbered(5_000)
    assert (held_out(late, ["id"], Split())[:5_000] == held_out(early, ["id"], Split())).all()


@pytest.mark.parametrize("percent", ["0.5", "20", "33.333333", "80"])
def test_the_held_out_share_is_the_one_asked_for(percent: str) -> None:
    share = float(percent) / 100
    deviation = (share * (1 - share) / _ROWS) ** 0.5
    found = held_out(_numbered(), ["id"], Split(test_percent=percent)).mean()
    assert abs(found - share) < 4 * deviation


def test_a_hundred_percent_is_every_row() -> None:
    assert held_out(_numbered(), ["id"], Split(test_percent="100")).all()


def test_another_seed_holds_out_other_rows() -> None:
    one, two = (held_out(_numbered(), ["id"], Split(seed=seed)) for seed in (1, 2))
    both = (one & two).mean()
    assert abs(both - 0.04) < 0.01


def test_a_larger_share_keeps_what_a_smaller_one_held_out() -> None:
    small = held_out(_numbered(), ["id"], Split(test_percent="10"))
    large = held_out(_numbered(), ["id"], Split(test_percent="30"))
    assert not (small & ~large).any()
