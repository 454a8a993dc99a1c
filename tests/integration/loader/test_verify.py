"""The determinism check: what is deterministic passes with other settings, and what is not is named."""

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.contract.manifest import Manifest
from modelyard_api.contract.outcome import VerifyOutcome
from modelyard_api.contract.steps import Published, VerifyStep
from modelyard_api.v1alpha1.dataset import Split
from modelyard_loader.record.files import write_variant
from modelyard_loader.transforms.chain import Chain
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.verify.run import SETTINGS, verify
from modelyard_runtime.errors import DataError
from modelyard_runtime.manifests import read_manifest, read_part, write_manifest
from modelyard_runtime.s3 import ObjectStore
from tests.support.loading import variants
from tests.support.record import RecordedDataset
from tests.support.s3 import S3Server

_ROWS = 3_000
_ALL_KINDS = [
    {"name": "v1"},
    {"name": "kept", "from": "v1", "transforms": [{"filter": {"where": "x < 0.9"}}]},
    {
        "name": "derived",
        "from": "kept",
        "transforms": [
            {"derive": {"column": "ratio", "as": "x / n"}},
            {"bin": {"column": "x", "into": "step", "edges": ["0", "0.3", "0.6"], "openEnded": True}},
            {"sample": {"percent": "70", "seed": 3}},
        ],
    },
    {
        "name": "filled",
        "from": "v1",
        "transforms": [
            {"fillMissing": {"columns": ["y"], "strategy": "Mean"}},
            {"bin": {"column": "x", "into": "part", "quantiles": 7}},
        ],
    },
    {"name": "single", "from": "v1", "transforms": [{"dedupe": {"columns": ["n", "kind"]}}]},
    {"name": "sorted", "from": "v1", "transforms": [{"sort": {"by": [{"column": "n"}], "into": "place"}}]},
    {
        "name": "balanced",
        "from": "v1",
        "transforms": [{"balance": {"column": "kind", "method": "Over", "seed": 5}}],
    },
    {
        "name": "grouped",
        "from": "v1",
        "transforms": [
            {
                "aggregate": {
                    "groupBy": ["kind"],
                    "columns": [
                        {"into": "mean_x", "function": "Mean", "column": "x"},
                        {"into": "sum_y", "function": "Sum", "column": "y"},
                    ],
                }
            }
        ],
    },
]


def table(first: int, rows: int = _ROWS) -> pa.Table:
    """Rows whose sums depend on the order in which they are made."""
    random = np.random.default_rng(first)
    missing = random.random(rows) < 0.1
    return pa.table(
        {
            "id": pa.array(np.arange(first, first + rows)),
            "x": pa.array(random.random(rows)),
            "y": pa.array(random.normal(size=rows) * 10.0 ** random.integers(-9, 9, rows), mask=missing),
            "n": pa.array(random.integers(1, 50, rows)),
            "kind": pa.array(random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])),
        }
    )


@pytest.fixture
def store(s3_server: S3Server, new_project: Callable[[], str]) -> ObjectStore:
    """A prefix of the test's own, on each store in turn."""
    return s3_server.store(new_project())


@pytest.fixture
def minio(minio_server: S3Server, new_project: Callable[[], str]) -> ObjectStore:
    """A prefix of the test's own."""
    return minio_server.store(new_project())


def verified(step: VerifyStep, store: ObjectStore) -> VerifyOutcome:
    """The answer of the step."""
    outcome = verify(step, store).verify
    assert outcome is not None
    return outcome


def plain(store: ObjectStore) -> RecordedDataset:
    """A Dataset of one load and two variants."""
    documents = [{"name": "v1"}, {"name": "v2", "transforms": [{"derive": {"column": "z", "as": "x + 1"}}]}]
    dataset = RecordedDataset(store, variants(documents))
    dataset.load(table(0))
    dataset.publish()
    return dataset


def test_every_kind_of_transform_gives_the_same_values_with_other_settings(store: ObjectStore) -> None:
    dataset = RecordedDataset(store, variants(_ALL_KINDS))
    dataset.load(table(0), table(_ROWS))
    dataset.publish()
    dataset.load(table(2 * _ROWS))
    dataset.publish()
    before = sorted(store.keys(store.endpoint.prefix))
    outcome = verified(dataset.verify_step(), store)
    assert (outcome.differing, outcome.skipped) == ([], [])
    assert (outcome.sequence, outcome.settings) == (2, SETTINGS)
    assert sorted(store.keys(store.endpoint.prefix)) == before


@pytest.mark.parametrize("option", ["stratify_by", "time_column"])
def test_the_line_of_a_split_is_drawn_again_at_the_same_place(minio: ObjectStore, option: str) -> None:
    column = "kind" if option == "stratify_by" else "n"
    dataset = RecordedDataset(minio, variants([{"name": "v1"}]), Split.model_validate({option: column}))
    dataset.load(table(0), table(_ROWS))
    (version,) = dataset.publish()
    assert verified(dataset.verify_step(), minio).differing == []
    manifest = read_manifest(minio, version.uri)
    assert manifest.border is not None
    other = manifest.border.model_copy(update={"classes": {}, "time": 1})
    forged = _forged(minio, manifest, border=other)
    found = verified(dataset.verify_step([forged]), minio).differing
    assert found == ["v1: the line between training and test rows"]


def test_an_earlier_version_is_built_from_the_loads_up_to_it(minio: ObjectStore) -> None:
    dataset = plain(minio)
    first = dataset.published()
    dataset.load(table(_ROWS))
    dataset.publish()
    assert verified(dataset.verify_step(first), minio).differing == []


def _forged(store: ObjectStore, manifest: Manifest, **changes: object) -> Published:
    """A version whose manifest says something else."""
    other = manifest.model_copy(update=changes)
    written = write_manifest(store, other)
    return Published(variant=other.variant, digest=other.content_digest, uri=written.uri)


def test_a_digest_that_was_tampered_with_is_named(minio: ObjectStore) -> None:
    dataset = plain(minio)
    v1, v2 = dataset.published()
    other = "sha256:" + "0" * 64
    forged = _forged(minio, read_manifest(minio, v2.uri), content_digest=other)
    (said,) = verified(dataset.verify_step([v1, forged]), minio).differing
    assert said.startswith("v2: the files hold sha256:")
    assert said.endswith(f"the manifest says {other}")


def test_values_that_were_changed_are_named_with_their_column(minio: ObjectStore) -> None:
    dataset = plain(minio)
    _, v2 = dataset.published()
    manifest = read_manifest(minio, v2.uri)
    rows = read_part(minio, manifest.parts[0])
    values = rows.column("x").to_numpy().copy()
    values[7] = np.nextafter(values[7], 1)
    changed = rows.set_column(rows.schema.get_field_index("x"), "x", pa.array(values))
    forged = _forged(minio, manifest, parts=[write_variant(minio, "rows", "v2", changed)])
    found = verified(dataset.verify_step([forged]), minio).differing
    assert [said.split(" hold")[0] for said in found] == ["v2: the files", "v2: columns x"]


def test_a_row_that_was_lost_is_named(minio: ObjectStore) -> None:
    dataset = plain(minio)
    _, v2 = dataset.published()
    manifest = read_manifest(minio, v2.uri)
    fewer = write_variant(minio, "rows", "v2", read_part(minio, manifest.parts[0]).slice(1))
    forged = _forged(minio, manifest, parts=[fewer], rows=fewer.rows)
    found = verified(dataset.verify_step([forged]), minio).differing
    assert found[-1] == "v2: columns id, x, y, n, kind and 1 more"


def test_a_transform_that_depends_on_the_order_of_rows_is_caught(
    minio: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = plain(minio)
    real = Chain.batches

    def numbered(chain: Chain, engine: Engine, *, ordered: bool = False) -> object:
        seen = 0
        for batch in real(chain, engine, ordered=ordered):
            names = batch.schema.names
            places = pa.array(np.arange(seen, seen + batch.num_rows, dtype=np.float64))
            seen += batch.num_rows
            yield batch.set_column(names.index("z"), "z", places) if "z" in names else batch

    monkeypatch.setattr(Chain, "batches", numbered)
    assert verified(dataset.verify_step(), minio).differing == ["v2: columns z"]


def test_a_file_that_was_changed_is_named(minio: ObjectStore) -> None:
    dataset = plain(minio)
    _, v2 = dataset.published()
    part = read_manifest(minio, v2.uri).parts[0]
    key = minio.key(part.uri)
    content = bytearray(minio.read(key))
    content[len(content) // 2] ^= 1
    minio.delete(key)
    minio.create(key, bytes(content))
    with pytest.raises(DataError, match="the bytes are not those that the manifest names"):
        verify(dataset.verify_step(), minio)


def test_a_record_that_was_rewritten_is_named(minio: ObjectStore) -> None:
    dataset = plain(minio)
    (key,) = minio.keys(f"{minio.endpoint.prefix}/datasets/rows/loads")
    document = json.loads(minio.read(key))
    minio.delete(key)
    minio.create(key, json.dumps({**document, "accepted": 1}).encode())
    with pytest.raises(DataError, match="the record is not the one that was written"):
        verify(dataset.verify_step(), minio)


def test_a_version_of_an_earlier_spec_is_left_out_and_said_to_be(minio: ObjectStore) -> None:
    dataset = plain(minio)
    edited = dataset.with_variants(
        variants([{"name": "v1"}, {"name": "v2", "transforms": [{"derive": {"column": "z", "as": "x + 2"}}]}])
    )
    outcome = verified(edited.verify_step(dataset.published()), minio)
    assert (outcome.differing, outcome.skipped) == ([], ["v2"])
    with pytest.raises(DataError, match="no version that is published was made by the present spec"):
        verify(edited.verify_step([dataset.latest("v2")]), minio)
