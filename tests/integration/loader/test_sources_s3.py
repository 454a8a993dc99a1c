"""Files in buckets, on each store: which objects are read, each once, and what a wrong address or key is called."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.manifest import Column
from modelyard_loader.sources import EmptySourceError
from modelyard_loader.sources.bucket import Bucket
from modelyard_runtime.errors import DataError, InvalidSpecError, PlatformError
from tests.support.s3 import BUCKET, S3Server
from tests.support.sources import Reading


class Lake:
    """A prefix of the bucket that other people put files into."""

    def __init__(self, server: S3Server, prefix: str) -> None:
        self.prefix = prefix
        self.client = server.store(prefix).client_of(BUCKET, server.url, "us-east-1")

    def put(self, key: str, content: bytes) -> None:
        obstore.put(self.client, f"{self.prefix}/{key}", content)

    def remove(self, key: str) -> None:
        obstore.delete(self.client, f"{self.prefix}/{key}")

    def uri(self, pattern: str) -> str:
        return f"s3://{BUCKET}/{self.prefix}/{pattern}"


@pytest.fixture
def lake(s3_server: S3Server, new_project: Callable[[], str]) -> Lake:
    return Lake(s3_server, new_project())


@pytest.fixture
def reading(s3_server: S3Server, lake: Lake, tmp_path: Path) -> Reading:
    return Reading(tmp_path, store=s3_server.store(lake.prefix), project=lake.prefix)


def _s3(lake: Lake, pattern: str, **more: object) -> dict[str, object]:
    return {"s3": {"uri": lake.uri(pattern), **more}}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.csv", ["a"]),
        ("*.csv", ["a", "b"]),
        ("?.csv", ["a", "b"]),
        ("**/*.csv", ["a", "b", "y1/c", "y1/y2/d"]),
        ("**", ["a", "b", "y1/c", "y1/y2/d"]),
        ("y1/*.csv", ["y1/c"]),
        ("y1/**/d.csv", ["y1/y2/d"]),
        ("y1/**", ["y1/c", "y1/y2/d"]),
        ("[ab].csv", []),
    ],
)
def test_patterns_match_as_in_a_shell_in_order_of_the_keys(
    reading: Reading, lake: Lake, pattern: str, found: list[str]
) -> None:
    for name in ("y1/y2/d", "b", "a", "y1/c"):
        lake.put(f"{name}.csv", f"name\n{name}\n".encode())
    if not found:
        with pytest.raises(EmptySourceError, match=r"spec.source.s3.uri = 's3://.*': matches no object"):
            reading.read(_s3(lake, pattern))
        return
    assert reading.read(_s3(lake, pattern)).table.column("name").to_pylist() == found


def test_files_of_every_format_are_one_table(reading: Reading, lake: Lake) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": [3], "price": [3.5]}), sink)
    lake.put("1.csv", b"id,price\n1,1.5\n")
    lake.put("2.jsonl", b'{"price": 2.5, "id": 2}\n')
    lake.put("3.parquet", sink.getvalue())
    given = reading.read(_s3(lake, "*"), columns=_columns())
    assert given.rows == [{"id": number, "price": number + 0.5} for number in (1, 2, 3)]


def _columns() -> list[Column]:
    return [
        Column.model_validate({"name": "id", "type": "Integer"}),
        Column.model_validate({"name": "price", "type": "Number"}),
    ]


def test_a_later_step_reads_only_what_is_new(reading: Reading, lake: Lake) -> None:
    lake.put("a.csv", b"id,at\n1,2024-05-01T10:00:00+02:00\n")
    lake.put("b.csv", b"id,at\n2,2024-05-01T10:00:00+02:00\n")
    first = reading.read(_s3(lake, "*.csv"))
    assert first.whole
    idle = reading.open(_s3(lake, "*.csv"), columns=first.columns, consumed=first.consumed)
    assert idle.unchanged(first.consumed, first.digest)
    assert list(idle.batches()) == []
    lake.put("c.csv", b"id,at\n3,2024-05-02T10:00:00+04:00\n")
    later = reading.read(
        _s3(lake, "*.csv"), columns=first.columns, consumed=first.consumed, first_row=len(first.numbers) + 1
    )
    assert not later.whole
    assert later.rows == [{"id": 3, "at": "2024-05-02T06:00:00.000000Z"}]
    assert later.numbers == [3]
    assert set(later.consumed) > set(first.consumed)


def test_an_object_that_was_consumed_and_changes_or_vanishes_is_reported(
    reading: Reading, lake: Lake
) -> None:
    for number, name in enumerate(("a", "b", "c"), start=1):
        lake.put(f"{name}.csv", f"id\n{number}\n".encode())
    first = reading.read(_s3(lake, "*.csv"))
    lake.put("a.csv", b"id\n9\n")
    lake.remove("b.csv")
    opened = reading.open(_s3(lake, "*.csv"), columns=first.columns, consumed=first.consumed)
    assert opened.changed == (lake.uri("a.csv"),)
    assert opened.vanished == (lake.uri("b.csv"),)
    assert not opened.unchanged(first.consumed, first.digest)
    assert [row for batch in opened.batches() for row in batch.rows.to_pylist()] == [{"id": 9}]
    assert [row for batch in opened.others() for row in batch.rows.to_pylist()] == [{"id": 3}]
    assert not opened.whole
    again = reading.open(_s3(lake, "*.csv"), columns=first.columns, consumed=opened.consumed)
    assert again.changed == ()


def test_where_all_objects_changed_the_source_is_read_as_a_whole(reading: Reading, lake: Lake) -> None:
    lake.put("a.csv", b"id\n1\n")
    first = reading.read(_s3(lake, "*.csv"))
    lake.put("a.csv", b"id\n1\n2\n")
    second = reading.read(_s3(lake, "*.csv"), columns=first.columns, consumed=first.consumed, first_row=2)
    assert second.whole
    assert second.numbers == [1, 2]
    assert set(second.consumed) == set(first.consumed)


def test_an_object_that_is_replaced_while_it_is_read_is_refused(
    reading: Reading, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.put("a.csv", b"id\n1\n")
    fetch = Bucket.fetch

    def late(bucket: Bucket, listed: object, target: Path) -> str:
        lake.put("a.csv", b"id\n1\n2\n")
        return fetch(bucket, listed, target)  # type: ignore[arg-type]

    monkeypatch.setattr(Bucket, "fetch", late)
    with pytest.raises(DataError, match=r"a.csv: was replaced or removed while it was read"):
        reading.read(_s3(lake, "*.csv"))


def test_other_columns_in_a_later_object_are_refused(reading: Reading, lake: Lake) -> None:
    lake.put("a.csv", b"id,price\n1,2\n")
    first = reading.read(_s3(lake, "*.csv"))
    lake.put("b.csv", b"id,colour\n2,red\n")
    with pytest.raises(DataError, match=r"b.csv: the columns .* price is missing; colour is new"):
        reading.read(_s3(lake, "*.csv"), columns=first.columns, consumed=first.consumed)


def test_a_bucket_that_does_not_exist_is_the_specs_mistake(reading: Reading) -> None:
    with pytest.raises(InvalidSpecError, match=r"spec.source.s3.uri = .*: there is no bucket no-such-bucket"):
        reading.read({"s3": {"uri": "s3://no-such-bucket/*.csv"}})
    with pytest.raises((InvalidSpecError, EmptySourceError)):
        reading.read({"s3": {"uri": "s3://no-such-bucket/rows.csv"}})


def test_own_credentials_of_the_secret_are_used(reading: Reading, lake: Lake, s3_server: S3Server) -> None:
    lake.put("a.csv", b"id\n1\n")
    source = _s3(lake, "a.csv", endpointUrl=s3_server.url, credentialsSecret={"name": "lake"})
    reading.secret(access_key=s3_server.login.username, secret_key=s3_server.login.password + "\n")
    assert reading.read(source).rows == [{"id": 1}]


@pytest.mark.parametrize("wrong", ["access_key", "secret_key", "session_token"])
def test_credentials_that_the_store_refuses_name_the_store_and_the_secret(
    reading: Reading, lake: Lake, s3_server: S3Server, wrong: str
) -> None:
    if wrong == "session_token" and s3_server.backend.name == "versitygw":
        pytest.skip("this store does not look at session tokens")
    keys = {"access_key": s3_server.login.username, "secret_key": s3_server.login.password, wrong: "expired"}
    reading.secret(**keys)
    source = _s3(lake, "*.csv", endpointUrl=s3_server.url, credentialsSecret={"name": "lake"})
    with pytest.raises(InvalidSpecError) as caught:
        reading.read(source)
    assert caught.value.message.startswith(
        f"spec.source.s3.credentialsSecret = 'lake': the S3 store at {s3_server.url} refuses the credentials"
    )
    assert s3_server.login.password not in caught.value.message


@pytest.mark.parametrize("missing", ["access-key", "secret-key"])
def test_a_key_that_the_secret_does_not_have_is_named(
    reading: Reading, lake: Lake, s3_server: S3Server, missing: str
) -> None:
    keys = {"access_key": "a", "secret_key": "b"}
    reading.secret(**{name: value for name, value in keys.items() if name.replace("_", "-") != missing})
    with pytest.raises(InvalidSpecError) as caught:
        reading.read(_s3(lake, "*.csv", endpointUrl=s3_server.url, credentialsSecret={"name": "lake"}))
    assert caught.value.message == (
        f"spec.source.s3.credentialsSecret = 'lake': the key {missing} is not in the Secret, or there is no such Secret"
    )
    assert missing in caught.value.remedy


def test_a_store_that_does_not_answer_is_an_outage(reading: Reading, lake: Lake) -> None:
    reading.patience = replace(reading.patience, total=0.2)
    with pytest.raises(PlatformError, match=r"the S3 store at http://127.0.0.1:1 did not answer"):
        reading.read(_s3(lake, "*.csv", endpointUrl="http://127.0.0.1:1"))


def test_what_is_put_into_the_inbox_is_read_once(reading: Reading, lake: Lake) -> None:
    upload: dict[str, object] = {"upload": {}}
    with pytest.raises(EmptySourceError, match=r"spec.source.upload: the inbox is empty") as caught:
        reading.read(upload)
    assert f"s3://{BUCKET}/{lake.prefix}/inbox/houses/" in caught.value.remedy
    lake.put("inbox/houses/a.csv", b"id,x\n1,a\n")
    lake.put("inbox/houses/.hidden.csv", b"nothing")
    lake.put("inbox/others/b.csv", b"id,x\n9,z\n")
    first = reading.read(upload)
    assert first.rows == [{"id": 1, "x": "a"}]
    lake.put("inbox/houses/2024/b.csv", b"id,x\n2,b\n")
    lake.remove("inbox/houses/a.csv")
    second = reading.read(upload, columns=first.columns, consumed=first.consumed, first_row=2)
    assert second.rows == [{"id": 2, "x": "b"}]
    assert second.vanished == ()
    lake.put("inbox/houses/2024/b.csv", b"id,x\n3,c\n")
    third = reading.read(upload, columns=first.columns, consumed=second.consumed, first_row=3)
    assert third.rows == [{"id": 3, "x": "c"}]
    lake.put("inbox/houses/2024/b.csv", b"id,x\n2,b\n")
    again = reading.open(upload, columns=first.columns, consumed=third.consumed)
    assert list(again.batches()) == []


def test_rows_of_many_objects_keep_their_order_and_have_one_digest(reading: Reading, lake: Lake) -> None:
    digests = []
    for place in range(12):
        content = ("id\n" + "".join(f"{place * 1000 + number}\n" for number in range(1000))).encode()
        lake.put(f"part-{place:02}.csv", content)
        digests.append((lake.uri(f"part-{place:02}.csv"), hashlib.sha256(content).hexdigest()))
    given = reading.read(_s3(lake, "part-*.csv"))
    assert given.table.column("id").to_pylist() == list(range(12_000))
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in digests)
    assert given.digest == f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
