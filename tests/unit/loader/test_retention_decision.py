"""Which versions retention keeps: the last ones, those that something refers to, and whatever may still be in the making."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from modelyard_api.contract.manifest import Manifest, Part, Recipe
from modelyard_api.v1alpha1.dataset import Split
from modelyard_loader.retention.decision import Decision, Keeping, decide
from modelyard_loader.retention.inventory import Inventory, KnownVersion, Pointed
from modelyard_loader.retention.leftovers import Batches
from modelyard_runtime.s3 import Entry
from modelyard_runtime.versions import VersionPointer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
UID = "own"


@dataclass(frozen=True)
class Made:
    """A version in short."""

    sequence: int
    variant: str = "v1"
    part: str = ""
    uid: str | None = UID
    modified: datetime = LONG_AGO
    pointed_at: datetime = LONG_AGO
    recipe: str = "0"
    loaded_at: datetime | None = None

    @property
    def name(self) -> str:
        """What tests call it."""
        return f"{self.variant}-{self.sequence}-{self.uid}-{self.recipe}"

    @property
    def digest(self) -> str:
        """Content digest."""
        return f"sha256:{self.name}"

    def known(self) -> KnownVersion:
        """As the inventory shows it."""
        part = self.part or f"variants/{self.variant}/{self.sequence}-{self.recipe}"
        manifest = Manifest(
            project="demo",
            dataset="d",
            variant=self.variant,
            sequence=self.sequence,
            key=["id"],
            columns=[],
            rows=1,
            parts=[Part(uri=part, sha256="0" * 64, rows=1, bytes=10)],
            recipe=Recipe(digest=self.recipe, engine="none"),
            content_digest=self.digest,
            split=Split(),
            audit_head="",
            loaded_at=self.loaded_at,
        )
        pointed: tuple[Pointed, ...] = ()
        if self.uid is not None:
            pointer = VersionPointer(self.uid, self.variant, self.sequence, "0" * 64, self.pointed_at)
            pointed = (Pointed(pointer, f"versions/{self.name}"),)
        return KnownVersion(
            manifest, Entry(self.name, 5, self.modified), self.name, frozenset({part}), pointed
        )


def decided(
    versions: Sequence[Made],
    *,
    last: int = 2,
    digests: Sequence[str] = (),
    sequences: Sequence[int] = (),
    files: Sequence[Entry] = (),
    times: Sequence[datetime] = (),
) -> Decision:
    """What becomes of them."""
    found = Inventory(tuple(version.known() for version in versions), tuple(files))
    keeping = Keeping(UID, last, frozenset(digests), frozenset(sequences), NOW, frozenset(times))
    return decide(found, keeping)


def _removed(decision: Decision) -> list[tuple[str, int]]:
    return [(each.manifest.variant, each.manifest.sequence) for each in decision.removed]


def test_the_last_versions_of_each_variant_stay() -> None:
    versions = [Made(sequence, variant) for variant in ("v1", "v2") for sequence in range(1, 6)]
    assert _removed(decided(versions, last=2)) == [
        ("v1", 1), ("v1", 2), ("v1", 3), ("v2", 1), ("v2", 2), ("v2", 3),
    ]  # fmt: skip


def test_a_variant_that_kept_an_older_version_is_counted_by_its_own() -> None:
    versions = [Made(1), Made(2), Made(1, "v2"), Made(9)]
    assert _removed(decided(versions, last=1)) == [("v1", 1), ("v1", 2)]


def test_a_version_that_something_refers_to_stays() -> None:
    old = Made(1)
    assert _removed(decided([old, Made(2), Made(3), Made(4)], digests=[old.digest])) == [("v1", 2)]


def test_versions_of_a_load_that_something_refers_to_by_number_stay() -> None:
    versions = [Made(1), Made(1, "v2"), Made(2), Made(3), Made(3, "v2")]
    assert _removed(decided(versions, last=1, sequences=[1])) == [("v1", 2)]


def test_of_each_variant_the_version_of_a_time_that_something_refers_to_stays() -> None:
    at = [LONG_AGO - timedelta(days=days) for days in (4, 3, 2, 1)]
    versions = [
        Made(1, loaded_at=at[0]),
        Made(2, loaded_at=at[1]),
        Made(2, recipe="again", loaded_at=at[1]),
        Made(3, loaded_at=at[2]),
        Made(4, loaded_at=at[3]),
        Made(1, "v2", loaded_at=at[0]),
        Made(3, "v2", loaded_at=at[2]),
        Made(4, "v2", loaded_at=at[3]),
    ]
    asked = [at[1] + timedelta(hours=1), at[0] - timedelta(hours=1)]
    assert _removed(decided(versions, last=1, times=asked)) == [("v1", 1), ("v1", 3), ("v2", 3)]
    # At the very moment of a load its version is meant, as a TrainingJob resolves it.
    assert ("v1", 3) not in _removed(decided(versions, last=1, times=[at[2]]))
    assert _removed(decided([Made(1), Made(2, loaded_at=at[0])], last=1, times=[NOW])) == [("v1", 1)]


def test_every_version_of_the_last_load_stays_however_often_it_was_published() -> None:
    versions = [Made(4), Made(5, recipe="a"), Made(5, recipe="b"), Made(5, recipe="c")]
    assert _removed(decided(versions, last=1)) == [("v1", 4)]


def test_of_two_publications_of_an_older_load_the_later_one_is_the_last() -> None:
    early = Made(4, recipe="a")
    late = Made(4, recipe="b", pointed_at=LONG_AGO + timedelta(minutes=5))
    decision = decided([late, early, Made(5)], last=2)
    assert [each.entry.key for each in decision.removed] == [early.name]


def test_what_was_published_within_the_hour_stays() -> None:
    fresh = Made(1, modified=NOW - timedelta(minutes=59))
    again = Made(2, pointed_at=NOW - timedelta(minutes=59))
    assert _removed(decided([fresh, again, Made(3), Made(4)], last=1)) == [("v1", 3)]


def test_versions_of_a_deleted_dataset_of_the_same_name_stay() -> None:
    versions = [Made(1, uid="other"), Made(1), Made(2), Made(3)]
    decision = decided(versions, last=1)
    assert {each.manifest.content_digest for each in decision.removed} == {Made(1).digest, Made(2).digest}


def test_a_manifest_that_lost_its_pointer_goes() -> None:
    left = Made(3, uid=None)
    decision = decided([left, Made(4), Made(5)], last=5)
    assert [each.entry.key for each in decision.removed] == [left.name]


def test_a_file_stays_as_long_as_one_kept_version_needs_it() -> None:
    files = [Entry(key, 10, LONG_AGO) for key in ("shared", "old", "new", "nobody")]
    versions = [Made(1, part="old"), Made(2, part="shared"), Made(3, part="new"), Made(4, part="shared")]
    decision = decided(versions, last=2, files=files)
    assert [entry.key for entry in decision.files] == ["old", "nobody"]


def test_a_file_of_the_last_hour_stays_since_its_manifest_may_be_about_to_come() -> None:
    files = [Entry("fresh", 10, NOW - timedelta(minutes=30)), Entry("stale", 10, NOW - timedelta(hours=2))]
    assert [entry.key for entry in decided([Made(1)], files=files).files] == ["stale"]


def test_a_file_of_rows_goes_where_neither_a_load_nor_a_manifest_names_it_and_it_is_older_than_a_day() -> (
    None
):
    young = Entry("young", 10, NOW - timedelta(hours=23))
    files = (*(Entry(key, 10, LONG_AGO) for key in ("loaded", "listed", "old", "left")), young)
    versions = [Made(1, part="old"), Made(2, part="listed")]
    found = Inventory(tuple(version.known() for version in versions), ())
    keeping = Keeping(UID, 1, frozenset(), frozenset(), NOW)
    decision = decide(found, keeping, Batches(files, frozenset({"loaded"})))
    assert len(decision.removed) == 1
    assert [entry.key for entry in decision.files] == ["left"]
    assert decide(found, keeping).files == ()


def test_a_dataset_without_versions_has_nothing_to_remove() -> None:
    decision = decided([])
    assert (decision.kept, decision.removed, decision.files) == ((), (), ())
