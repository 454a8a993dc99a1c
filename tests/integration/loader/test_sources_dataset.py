"""A variant of another Dataset as a source: only what is new is read, unless what was read is not there any more."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.manifest import Manifest, Part, Recipe
from modelyard_api.contract.steps import Published
from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_runtime.manifests import write_manifest, write_part
from modelyard_runtime.s3 import ObjectStore
from tests.support.s3 import S3Server
from tests.support.sources import Given, Reading

_SOURCE = {"dataset": {"name": "houses", "variant": "v2"}}
_SCHEMA = pa.schema([("id", pa.int64()), ("price", pa.float64()), ("name", pa.string())])


@pytest.fixture
def store(minio_server: S3Server, new_project: Callable[[], str]) -> ObjectStore:
    return minio_server.store(new_project())


@pytest.fixture
def reading(store: ObjectStore, tmp_path: Path) -> Reading:
    return Reading(tmp_path, store=store, project=store.endpoint.prefix)


def _part(store: ObjectStore, ids: Sequence[int]) -> Part:
    rows = [{"id": number, "price": number / 2, "name": f"n{number}"} for number in ids]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), sink)
    return write_part(store, f"{store.endpoint.prefix}/datasets/houses/batches", sink.getvalue(), len(rows))


def _version(store: ObjectStore, sequence: int, parts: list[Part]) -> Published:
    digest = f"sha256:{sequence:064x}"
    manifest = Manifest(
        project=store.endpoint.prefix,
        dataset="houses",
        variant="v2",
        sequence=sequence,
        key=["id"],
        columns=canonical_columns(_SCHEMA),
        rows=sum(part.rows for part in parts),
        parts=parts,
        recipe=Recipe(digest="0" * 64, engine="tests"),
        content_digest=digest,
        split=Split(),
        audit_head="",
    )
    return Published(variant="v2", digest=digest, uri=write_manifest(store, manifest).uri)


def _ids(given: Given) -> list[int]:
    return given.table.column("id").to_pylist() if given.table.num_rows else []


def test_a_version_is_read_in_its_types_and_known_by_its_content(
    reading: Reading, store: ObjectStore
) -> None:
    parent = _version(store, 1, [_part(store, [1, 2]), _part(store, [3])])
    given = reading.read(_SOURCE, parent=parent)
    assert given.table.schema.equals(_SCHEMA)
    assert _ids(given) == [1, 2, 3]
    assert given.digest == parent.digest
    assert given.whole


def test_only_parts_that_are_new_are_read_while_the_old_ones_stay(
    reading: Reading, store: ObjectStore
) -> None:
    parts = [_part(store, [1, 2])]
    first = reading.read(_SOURCE, parent=_version(store, 1, parts))
    parts.append(_part(store, [3]))
    second = _version(store, 2, parts)
    later = reading.read(_SOURCE, parent=second, columns=first.columns, consumed=first.consumed, first_row=3)
    assert (_ids(later), later.numbers, later.whole) == ([3], [3], False)
    idle = reading.open(_SOURCE, parent=second, columns=first.columns, consumed=later.consumed)
    assert idle.unchanged(later.consumed, later.digest)


def test_a_version_whose_parts_were_written_anew_is_read_as_a_whole(
    reading: Reading, store: ObjectStore
) -> None:
    first = reading.read(_SOURCE, parent=_version(store, 1, [_part(store, [1, 2]), _part(store, [3])]))
    rewritten = _version(store, 2, [_part(store, [1]), _part(store, [3]), _part(store, [4])])
    later = reading.read(
        _SOURCE, parent=rewritten, columns=first.columns, consumed=first.consumed, first_row=4
    )
    assert (_ids(later), later.numbers, later.whole) == ([1, 3, 4], [1, 2, 3], True)


def test_a_version_without_rows_has_columns_and_no_batches(reading: Reading, store: ObjectStore) -> None:
    given = reading.read(_SOURCE, parent=_version(store, 1, []))
    assert list(given.types) == ["id", "price", "name"]
    assert given.table.num_rows == 0


def test_a_parent_without_a_version_is_named(reading: Reading) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        reading.read(_SOURCE)
    assert caught.value.message == "spec.source.dataset.name = 'houses': has no version of variant v2 yet"


def test_a_part_that_is_not_what_its_manifest_says_is_refused(reading: Reading, store: ObjectStore) -> None:
    part = _part(store, [1]).model_copy(update={"uri": _part(store, [2]).uri})
    with pytest.raises(DataError, match="the bytes are not those that the manifest names"):
        reading.read(_SOURCE, parent=_version(store, 1, [part]))


def test_a_full_disk_is_told_as_one_and_not_as_an_outage_of_the_store(store: ObjectStore) -> None:
    part = _part(store, range(10_000))
    with pytest.raises(OSError, match="No space left"):
        store.download(store.key(part.uri), Path("/dev/full"))
