"""Versions from recorded loads: what a step reads and writes, and that history leaves no trace in the values."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.v1alpha1.dataset import Split
from modelyard_loader.record.files import VariantFiles, encoded, write_batch
from modelyard_loader.record.loads import PlacedPart
from modelyard_runtime.credentials import Login
from modelyard_runtime.digest import content_digest
from modelyard_runtime.errors import DataError, InvalidSpecError, PlatformError
from modelyard_runtime.manifests import read_part
from modelyard_runtime.s3 import ObjectStore, Outage
from modelyard_runtime.versions import Reference, resolve_version
from tests.support.publishing import FIRST_LOAD, Recorded, portions
from tests.support.s3 import S3Server

_VARIANTS = [
    {"name": "v1"},
    {
        "name": "v2",
        "from": "v1",
        "transforms": [
            {"filter": {"where": "x < 1.5"}},
            {"derive": {"column": "twice", "as": "x * 2"}},
        ],
    },
    {"name": "v3", "from": "v2", "transforms": [{"balance": {"column": "kind", "method": "Over"}}]},
    {"name": "v4", "from": "v1", "transforms": [{"fillMissing": {"columns": ["x"], "strategy": "Mean"}}]},
]


def _rows(count: int = 2_100, seed: int = 1) -> pa.Table:
    chance = np.random.default_rng(seed)
    return pa.table(
        {
            "id": chance.permutation(count),
            "x": pa.array(chance.normal(size=count), mask=chance.random(count) < 0.1),
            "kind": chance.choice(["common", "rare"], count, p=[0.9, 0.1]),
            "day": chance.integers(0, 300, count),
        }
    )


@pytest.fixture
def store(s3_server: S3Server, request: pytest.FixtureRequest) -> ObjectStore:
    """A project of the test's own."""
    return s3_server.store("publishing-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12])


@pytest.fixture
def minio(minio_server: S3Server, request: pytest.FixtureRequest) -> Callable[[str], ObjectStore]:
    """Projects of the test's own."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    return lambda suffix: minio_server.store(f"publishing-{name}-{suffix}")


def test_one_load_and_twenty_one_give_the_same_values_in_every_variant(
    minio: Callable[[str], ObjectStore],
) -> None:
    store, rows = minio("a"), _rows()
    at_once = Recorded(store, _VARIANTS, name="once")
    stepwise = Recorded(store, _VARIANTS, name="steps")
    expected = at_once.load(rows.take(np.random.default_rng(3).permutation(rows.num_rows)), 1)
    found = {}
    for sequence, portion in enumerate(portions(rows, 840, 20), start=1):
        found = stepwise.load(portion, sequence)
    assert sequence == 21
    assert {name: each.digest for name, each in found.items()} == {
        name: each.digest for name, each in expected.items()
    }
    assert [each.rows for each in found.values()] == [each.rows for each in expected.values()]
    for name in found:
        one, many = at_once.manifest(expected[name]), stepwise.manifest(found[name])
        assert (one.statistics, one.sample, one.columns) == (many.statistics, many.sample, many.columns)
        assert at_once.version(expected[name]).table.equals(stepwise.version(found[name]).table)


def test_a_step_reads_no_file_of_the_loads_before(minio: Callable[[str], ObjectStore]) -> None:
    recorded = Recorded(minio("a"), _VARIANTS[:2])
    rows = _rows()
    recorded.load(rows.slice(0, 2_000), 1)
    for key in [
        key for key in recorded.store.keys(recorded.store.endpoint.prefix) if key.endswith(".parquet")
    ]:
        recorded.store.delete(key)
    found = recorded.load(rows.slice(2_000), 2)
    assert found["v1"].digest == content_digest(rows, ["id"]).root.removeprefix("sha256:")
    parts = recorded.manifest(found["v2"]).parts
    assert len(parts) == 2
    assert sum(part.rows for part in parts) == found["v2"].rows


def test_untransformed_versions_share_the_files_of_the_loads(minio: Callable[[str], ObjectStore]) -> None:
    recorded = Recorded(minio("a"), [{"name": "v1"}, {"name": "w1", "from": "v1"}])
    found = {}
    for sequence, portion in enumerate(portions(_rows(), 840, 20), start=1):
        found = recorded.load(portion, sequence)
    uris = [part.uri for part in recorded.manifest(found["w1"]).parts]
    files = [key for key in recorded.store.keys(recorded.store.endpoint.prefix) if key.endswith(".parquet")]
    assert sorted(map(recorded.store.key, uris)) == sorted(files)


def test_a_variant_without_transforms_shares_the_files_of_its_parent(
    minio: Callable[[str], ObjectStore],
) -> None:
    recorded = Recorded(minio("a"), [*_VARIANTS[:2], {"name": "w2", "from": "v2"}])
    found = recorded.load(_rows(500), 1)
    assert found["w2"].digest == found["v2"].digest
    assert recorded.manifest(found["w2"]).parts == recorded.manifest(found["v2"]).parts


def test_a_variant_that_is_added_later_has_all_rows_and_the_others_go_on(
    minio: Callable[[str], ObjectStore],
) -> None:
    recorded, rows = Recorded(minio("a"), _VARIANTS[:2]), _rows(900)
    recorded.load(rows.slice(0, 300), 1)
    before = recorded.load(rows.slice(300, 300), 2)
    later = {"name": "later", "from": "v2", "transforms": [{"filter": {"where": "twice > 0"}}]}
    wide = {"name": "wide", "from": "v2", "transforms": [{"derive": {"column": "half", "as": "x / 2"}}]}
    recorded.variants = [*_VARIANTS[:2], later, wide]
    found = recorded.load(rows.slice(600), 3)
    other = Recorded(recorded.store, recorded.variants, name="fresh")
    fresh = other.load(rows, 1)
    assert {name: each.digest for name, each in found.items()} == {
        name: each.digest for name, each in fresh.items()
    }
    for name in ("later", "wide"):
        assert recorded.manifest(found[name]).statistics == other.manifest(fresh[name]).statistics
        assert recorded.version(found[name]).table.equals(other.version(fresh[name]).table)
    kept = recorded.manifest(before["v2"]).parts
    assert recorded.manifest(found["v2"]).parts[:2] == kept


def test_a_load_that_changes_no_value_of_a_variant_leaves_its_files(
    minio: Callable[[str], ObjectStore],
) -> None:
    recorded = Recorded(minio("a"), _VARIANTS)
    before = recorded.load(_rows(), 1)
    far = pa.table({"id": [10_000], "x": [9.0], "kind": ["common"], "day": [1]})
    after = recorded.load(far, 2)
    assert after["v1"].digest != before["v1"].digest
    for name in ("v2", "v3"):
        assert after[name].digest == before[name].digest
        assert recorded.manifest(after[name]).parts == recorded.manifest(before[name]).parts


def test_replaced_rows_are_in_no_version_after_it(minio: Callable[[str], ObjectStore]) -> None:
    recorded, rows = Recorded(minio("a"), _VARIANTS), _rows()
    recorded.load(rows.slice(0, 1_000), 1)
    recorded.load(rows.slice(1_000), 2)
    kept = rows.slice(1, 999)
    changed = rows.slice(0, 1).set_column(1, "x", pa.array([0.25]))
    assert recorded.sums is not None
    recorded.sums.subtract(rows.slice(0, 1))
    part = write_batch(recorded.store, recorded.name, kept.sort_by("id"))
    recorded.parts[0] = PlacedPart(sequence=1, part=part)
    recorded.appended_since = 3
    found = recorded.load(changed, 3)
    now = pa.concat_tables([changed, rows.slice(1)])
    fresh = Recorded(recorded.store, _VARIANTS, name="fresh").load(now, 1)
    assert {name: each.digest for name, each in found.items()} == {
        name: each.digest for name, each in fresh.items()
    }


def test_files_that_do_not_hold_what_was_loaded_are_noticed(minio: Callable[[str], ObjectStore]) -> None:
    recorded, rows = Recorded(minio("a"), [{"name": "v1"}]), _rows()
    recorded.add(rows, 1)
    recorded.parts[0] = PlacedPart(sequence=1, part=write_batch(recorded.store, "houses", rows.slice(1)))
    with pytest.raises(DataError, match=r"load 1 of houses: the files of the record hold sha256"):
        recorded.publish(1)


class KilledError(Exception):
    """The process ends here."""


class Dying(ObjectStore):
    """A store that is gone after so many writes."""

    def __init__(self, store: ObjectStore, writes: int) -> None:
        self.__dict__.update(store.__dict__)
        self._left = writes

    def create(self, key: str, content: bytes) -> bool:
        """Writes, or dies."""
        if self._left == 0:
            raise KilledError
        self._left -= 1
        return super().create(key, content)


def test_a_publisher_killed_at_any_write_leaves_what_an_undisturbed_one_leaves(
    minio: Callable[[str], ObjectStore],
) -> None:
    def objects(recorded: Recorded) -> dict[str, bytes]:
        prefix = recorded.store.endpoint.prefix
        return {key.removeprefix(prefix): recorded.store.read(key) for key in recorded.store.keys(prefix)}

    def without_prefix(contents: dict[str, bytes]) -> set[str]:
        """Manifests and profiles name their project, so theirs are compared by number alone."""
        return {key for key in contents if key.endswith(".parquet")} | {
            f"{key.split('/')[2]} {number}"
            for kind in ("manifests", "versions", "profiles")
            for number, key in enumerate(sorted(key for key in contents if f"/{kind}/" in key))
        }

    rows = _rows(400)
    calm = Recorded(minio("calm"), _VARIANTS[:2])
    calm.load(rows.slice(0, 300), 1)
    expected = calm.load(rows.slice(300), 2)
    writes = 0
    while True:
        disturbed = calm.elsewhere(minio(f"k{writes}"))
        disturbed.load(rows.slice(0, 300), 1)
        disturbed.add(rows.slice(300), 2)
        try:
            disturbed.publish(2, Dying(disturbed.store, writes))
            break
        except KilledError:
            found = disturbed.publish(2)
        assert {name: each.digest for name, each in found.items()} == {
            name: each.digest for name, each in expected.items()
        }
        assert without_prefix(objects(disturbed)) == without_prefix(objects(calm)), writes
        writes += 1
    assert writes == 7


def test_files_are_on_the_store_when_they_are_all_written(minio: Callable[[str], ObjectStore]) -> None:
    store = minio("files")
    with VariantFiles(store, "houses") as files:
        parts = [files.write("v2", encoded(_rows(count)), count) for count in (100, 200, 300, 400)]
    assert [read_part(store, part).num_rows for part in parts] == [100, 200, 300, 400]


def test_a_file_that_does_not_get_to_the_store_fails_them_all(minio: Callable[[str], ObjectStore]) -> None:
    store = minio("files")
    broken = type(store)(
        store.endpoint.model_copy(update={"bucket": "not-there"}), Login("any", "any"), Outage(total=0.1)
    )
    with pytest.raises(PlatformError), VariantFiles(broken, "houses") as files:
        files.write("v2", encoded(_rows(100)), 100)


def test_publishing_again_writes_nothing_and_answers_from_what_is_there(
    minio: Callable[[str], ObjectStore],
) -> None:
    recorded = Recorded(minio("a"), _VARIANTS)
    first = recorded.load(_rows(500), 1)
    before = sorted(recorded.store.keys(recorded.store.endpoint.prefix))
    assert recorded.publish(1) == first
    assert sorted(recorded.store.keys(recorded.store.endpoint.prefix)) == before
    publisher = recorded.publisher(1)
    assert {each.variant.name: publisher.existing(each) for each in recorded.planned()} == first
    edited = Recorded(recorded.store, [{"name": "v1"}, {"name": "v2"}], parts=recorded.parts)
    edited.columns, edited.sums = recorded.columns, recorded.sums
    others = {each.variant.name: edited.publisher(1).existing(each) for each in edited.planned()}
    assert others == {"v1": first["v1"], "v2": None}


def test_the_last_good_version_of_a_blocked_variant_says_its_load(
    minio: Callable[[str], ObjectStore],
) -> None:
    recorded, rows = Recorded(minio("a"), _VARIANTS), _rows(500)
    assert recorded.elsewhere(minio("b")).store is not None
    recorded.load(rows.slice(0, 300), 1)
    recorded.add(rows.slice(300), 2)
    last = recorded.publisher(2).last_good("v1")
    assert last is not None
    assert (last.sequence, last.rows) == (1, 300)
    assert recorded.publisher(2).last_good("nothing") is None
    found = recorded.publish(2)
    assert found["v1"].rows == 500
    third = Recorded(
        recorded.store, _VARIANTS, parts=recorded.parts, columns=recorded.columns, sums=recorded.sums
    )
    assert third.publish(3)["v1"].digest == found["v1"].digest


def test_after_a_load_that_was_not_published_the_next_goes_on_from_the_one_before(
    minio: Callable[[str], ObjectStore],
) -> None:
    recorded, rows = Recorded(minio("a"), _VARIANTS[:2]), _rows()
    recorded.load(rows.slice(0, 1_000), 1)
    for key in [
        key for key in recorded.store.keys(recorded.store.endpoint.prefix) if key.endswith(".parquet")
    ]:
        recorded.store.delete(key)
    recorded.add(rows.slice(1_000, 500), 2)
    found = recorded.load(rows.slice(1_500), 3)
    assert found["v1"].digest == content_digest(rows, ["id"]).root.removeprefix("sha256:")


@pytest.mark.parametrize(
    "split",
    [
        Split(),
        Split(group_by="day"),
        Split(stratify_by="kind"),
        Split(time_column="day"),
    ],
    ids=["hash", "group", "stratify", "time"],
)
def test_no_copy_of_a_held_out_row_is_learned_from_in_any_variant(
    minio: Callable[[str], ObjectStore], split: Split
) -> None:
    recorded = Recorded(minio("a"), _VARIANTS, split=split)
    rows = _rows(1_500)
    recorded.load(rows.slice(0, 1_000), 1)
    found = recorded.load(rows.slice(1_000), 2)
    sides: dict[int, bool] = {}
    for outcome in found.values():
        version = recorded.version(outcome)
        assert 0.1 < version.is_test.mean() < 0.3 or outcome.name == "v3"
        for row, held in zip(version.table.column("id").to_pylist(), version.is_test.tolist(), strict=True):
            assert sides.setdefault(row, held) == held
    balanced = recorded.version(found["v3"])
    counts = {
        each["values"]: each["counts"] for each in balanced.train.column("kind").value_counts().to_pylist()
    }
    assert counts["common"] == counts["rare"]
    assert {each.name for each in found["v3"].classes} == {"common", "rare"}


@pytest.mark.parametrize("option", ["stratify_by", "group_by", "time_column"])
def test_a_split_by_a_column_that_a_variant_changes_or_lacks_is_refused(
    minio: Callable[[str], ObjectStore], option: str
) -> None:
    recorded = Recorded(minio("a"), _VARIANTS, split=Split.model_validate({option: "day"}))
    recorded.columns = _rows(1).schema
    recorded.variants = [{"name": "v1", "transforms": [{"select": {"columns": ["x"]}}]}]
    with pytest.raises(
        InvalidSpecError, match="= 'day': variant v1 does not keep the column as it was loaded"
    ):
        recorded.planned()
    recorded.variants = [{"name": "v1", "transforms": [{"cast": {"columns": ["day"], "to": "Text"}}]}]
    with pytest.raises(InvalidSpecError, match="variant v1 does not keep the column"):
        recorded.planned()
    recorded.split = Split.model_validate({option: "week"})
    with pytest.raises(InvalidSpecError, match="= 'week': is not a column of the loaded rows"):
        recorded.planned()


def test_a_version_is_found_by_load_digest_and_time(store: ObjectStore) -> None:
    recorded, rows = Recorded(store, _VARIANTS[:2], name="found"), _rows(900)
    loads = [recorded.load(portion, number) for number, portion in enumerate(portions(rows, 300, 2), start=1)]
    digests = ["sha256:" + each["v2"].digest for each in loads]
    wanted = Reference("found", "v2", uid=recorded.uid)
    assert resolve_version(store, wanted).sequence == 3
    assert resolve_version(store, Reference("found", "v2")).uri == recorded.uri(loads[2]["v2"])
    assert resolve_version(store, Reference("found", "v2", sequence=2)).digest == digests[1]
    assert resolve_version(store, Reference("found", "v2", digest=digests[0])).sequence == 1
    second = FIRST_LOAD + timedelta(days=2, hours=3)
    assert resolve_version(store, Reference("found", "v2", as_of=second)).sequence == 2


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"sequence": 7}, r"spec.datasetRef.sequence = '7': .*there are those of loads 1, 2"),
        ({"digest": "sha256:" + "0" * 64}, r"spec.datasetRef.digest = .*there are those of loads 1, 2"),
        ({"as_of": FIRST_LOAD}, r"spec.datasetRef.asOf = .*there are those of loads 1, 2"),
        ({"variant": "v9"}, r"spec.datasetRef.variant = 'v9': Dataset lost has no published version"),
    ],
)
def test_a_version_that_is_not_there_is_refused_with_those_that_are(
    minio: Callable[[str], ObjectStore], wanted: dict[str, object], said: str
) -> None:
    recorded, rows = Recorded(minio("a"), [{"name": "v1"}], name="lost"), _rows(60)
    recorded.load(rows.slice(0, 30), 1)
    recorded.load(rows.slice(30), 2)
    with pytest.raises(DataError, match=said):
        resolve_version(recorded.store, Reference(**{"dataset": "lost", "variant": "v1", **wanted}))  # type: ignore[arg-type]


def test_a_store_that_is_away_is_a_failure_of_the_platform(minio_server: S3Server) -> None:
    endpoint = minio_server.endpoint("demo").model_copy(update={"bucket": "nowhere"})
    recorded = Recorded(ObjectStore(endpoint, minio_server.login), [{"name": "v1"}])
    with pytest.raises(PlatformError, match="there is no such bucket"):
        recorded.add(_rows(10), 1)
