"""What every S3 store must do for us, on both."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.manifest import Column, Manifest, Part, Recipe
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.credentials import Login
from modelyard_runtime.digest import content_digest
from modelyard_runtime.errors import DataError, ObjectMissingError, PlatformError
from modelyard_runtime.manifests import read_manifest, write_manifest, write_part
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import load_version
from tests.support.s3 import S3Server


@pytest.fixture
def store(s3_server: S3Server, request: pytest.FixtureRequest) -> ObjectStore:
    """A prefix of the test's own."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    return s3_server.store(f"runtime-{name}")


def _key(store: ObjectStore, name: str) -> str:
    return f"{store.endpoint.prefix}/{name}"


def test_an_object_is_written_once_and_never_replaced(store: ObjectStore) -> None:
    key = _key(store, "object")
    assert store.create(key, b"first")
    assert not store.create(key, b"second")
    assert store.read(key) == b"first"


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    key = _key(store, "nothing")
    assert store.size(key) is None
    with pytest.raises(ObjectMissingError, match=f"s3://modelyard/{key}: is not on S3"):
        store.read(key)


def test_an_object_is_removed_and_may_be_removed_again(store: ObjectStore) -> None:
    keys = [_key(store, name) for name in ("gone", "stays")]
    for key in keys:
        store.create(key, b"content")
    for _ in range(2):
        store.delete(keys[0])
    assert list(store.keys(store.endpoint.prefix)) == keys[1:]
    assert store.create(keys[0], b"anew")
    assert store.read(keys[0]) == b"anew"


def test_a_store_that_refuses_the_credential_says_so_when_something_is_removed(store: ObjectStore) -> None:
    key = _key(store, "stays")
    store.create(key, b"content")
    stranger = ObjectStore(store.endpoint, Login("modelyard-tests", "another secret of many characters"))
    with pytest.raises(PlatformError, match="refuses the project's credential"):
        stranger.delete(key)
    assert store.read(key) == b"content"


def test_a_missing_bucket_is_a_failure_of_the_platform(s3_server: S3Server) -> None:
    endpoint = s3_server.endpoint("demo").model_copy(update={"bucket": "nowhere"})
    store = ObjectStore(endpoint, s3_server.login)
    with pytest.raises(PlatformError, match="s3://nowhere/demo/object: there is no such bucket"):
        store.create("demo/object", b"x")


def test_an_object_is_downloaded_as_it_is(store: ObjectStore, tmp_path: Path) -> None:
    content = bytes(range(256)) * 50_000
    store.create(_key(store, "large"), content)
    assert store.download(_key(store, "large"), tmp_path / "file") == len(content)
    assert (tmp_path / "file").read_bytes() == content
    assert store.size(_key(store, "large")) == len(content)


def test_only_objects_below_the_prefix_are_listed(store: ObjectStore) -> None:
    for name in ("a/1", "a/2", "ab/3"):
        store.create(_key(store, name), b"x")
    assert sorted(store.keys(_key(store, "a"))) == [_key(store, "a/1"), _key(store, "a/2")]


def test_an_address_of_another_bucket_is_refused(store: ObjectStore) -> None:
    with pytest.raises(ObjectMissingError, match="is not an object of bucket modelyard"):
        store.key("s3://elsewhere/object")


def _written(store: ObjectStore, **changes: object) -> str:
    rows = pa.table({"id": [1, 2, 3], "x": [0.5, None, 2.0]})
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, store_schema=False)
    part = write_part(store, _key(store, "parts"), bytes(sink.getvalue()), rows.num_rows)
    manifest = Manifest(
        project="demo",
        dataset="d",
        variant="v1",
        sequence=1,
        key=["id"],
        columns=[Column(name="id", type=ColumnType.INTEGER), Column(name="x", type=ColumnType.NUMBER)],
        rows=3,
        parts=[part],
        recipe=Recipe(digest="0", engine="none"),
        content_digest=content_digest(rows, ["id"]).root,
        split=Split(),
        audit_head="sha256:0",
    )
    return write_manifest(store, manifest.model_copy(update=changes)).uri


def test_a_version_is_read_back_and_proved(store: ObjectStore) -> None:
    version = load_version(_written(store), store)
    assert version.table.to_pydict() == {"id": [1, 2, 3], "x": [0.5, None, 2.0]}
    assert version.train.num_rows + version.test.num_rows == 3


def test_the_same_manifest_is_the_same_object(store: ObjectStore) -> None:
    assert _written(store) == _written(store)


def test_a_manifest_with_other_content_than_its_name_says_is_refused(store: ObjectStore) -> None:
    uri = _written(store)
    document = json.loads(store.read(store.key(uri)))
    forged = f"{store.endpoint.prefix}/datasets/d/manifests/v1/{'0' * 64}.json"
    store.create(forged, json.dumps(document).encode())
    with pytest.raises(DataError, match="does not have the SHA-256 of its name"):
        read_manifest(store, store.uri(forged))


def test_a_part_with_other_bytes_than_the_manifest_says_is_refused(store: ObjectStore) -> None:
    key = _key(store, "parts/forged.parquet")
    store.create(key, b"not what it was")
    part = Part(uri=store.uri(key), sha256="0" * 64, rows=3, bytes=15)
    with pytest.raises(DataError, match=r"forged.parquet: the bytes are not those"):
        load_version(_written(store, parts=[part]), store)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"content_digest": "sha256:" + "0" * 64}, "the manifest says sha256:000"),
        ({"rows": 4}, "the parts hold 3 rows, the manifest says 4"),
        ({"columns": [Column(name="id", type=ColumnType.INTEGER)]}, "the columns are not those"),
    ],
)
def test_a_manifest_that_does_not_describe_its_parts_is_refused(
    store: ObjectStore, changes: dict[str, object], said: str
) -> None:
    uri = _written(store, **changes)
    with pytest.raises(DataError, match=said):
        load_version(uri, store)
