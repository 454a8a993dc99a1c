"""Which versions are kept. Pure: what is there and what refers to it, in; what goes, in which order, out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelyard_loader.retention.inventory import Inventory, KnownVersion
from modelyard_loader.retention.leftovers import Batches
from modelyard_runtime.s3 import Entry

GRACE = timedelta(hours=1)
"""What is younger stays, whatever refers to it: its publication may not be over."""
LOAD_GRACE = timedelta(days=1)
"""Files of rows that are younger stay, though no load names them: a load takes as long as its rows take."""


@dataclass(frozen=True)
class Keeping:
    """What keeps a version, besides being one of the last."""

    uid: str
    """Of the Dataset. Versions of deleted Datasets of the same name are not its to remove."""
    last: int
    """Versions of each variant."""
    digests: AbstractSet[str]
    """Content digests that something refers to."""
    sequences: AbstractSet[int]
    """Loads that something refers to by number."""
    now: datetime
    times: AbstractSet[datetime] = frozenset()
    """Times that something refers to, meaning the latest version that was loaded by then."""


@dataclass(frozen=True)
class Decision:
    """What goes and what stays."""

    kept: tuple[KnownVersion, ...]
    removed: tuple[KnownVersion, ...]
    files: tuple[Entry, ...]
    """Objects that no kept version needs, and files of rows that no load names."""


def decide(found: Inventory, keeping: Keeping, batches: Batches | None = None) -> Decision:
    """Parts what is kept from what goes; of the files of rows all stay where ``batches`` is not told."""
    own = _own(found.versions, keeping)
    named = _last(own, keeping) | _at_times(own, keeping)
    kept = tuple(each for each in found.versions if each.entry.key in named or _is_needed(each, keeping))
    stays = {each.entry.key for each in kept}
    removed = tuple(each for each in found.versions if each.entry.key not in stays)
    needed: set[str] = set().union(*(version.needs for version in kept))
    files = tuple(
        entry for entry in found.files if entry.key not in needed and entry.modified <= keeping.now - GRACE
    )
    return Decision(kept, removed, (*files, *_left_over(found, keeping, batches or Batches())))


def _left_over(found: Inventory, keeping: Keeping, batches: Batches) -> Iterator[Entry]:
    """Files of rows that neither a load nor any manifest names, removed ones included."""
    listed: set[str] = set().union(*(version.needs for version in found.versions))
    named = listed | batches.named
    for entry in batches.files:
        if entry.key not in named and entry.modified <= keeping.now - LOAD_GRACE:
            yield entry


def _is_needed(version: KnownVersion, keeping: Keeping) -> bool:
    return (
        version.manifest.content_digest in keeping.digests
        or version.manifest.sequence in keeping.sequences
        or version.touched > keeping.now - GRACE
        or any(each.pointer.uid != keeping.uid for each in version.pointed)
    )


def _own(versions: Iterable[KnownVersion], keeping: Keeping) -> list[list[KnownVersion]]:
    """The versions of this very Dataset, a list for each variant, the newest first."""
    by_variant: dict[str, list[KnownVersion]] = defaultdict(list)
    for version in versions:
        if any(each.pointer.uid == keeping.uid for each in version.pointed):
            by_variant[version.manifest.variant].append(version)
    return [_newest_first(known) for known in by_variant.values()]


def _last(own: Iterable[Sequence[KnownVersion]], keeping: Keeping) -> set[str]:
    """Manifests of the last versions of each variant, and of all that hold the variant's last load."""
    found: set[str] = set()
    for ordered in own:
        found.update(version.entry.key for version in ordered[: keeping.last])
        found.update(_of_load(ordered, ordered[0].manifest.sequence))
    return found


def _at_times(own: Iterable[Sequence[KnownVersion]], keeping: Keeping) -> set[str]:
    """Manifests of what each variant was at the times that something refers to."""
    found: set[str] = set()
    for ordered in own:
        for time in keeping.times:
            loaded = ((each.manifest.loaded_at, each.manifest.sequence) for each in ordered)
            was = next((sequence for at, sequence in loaded if at is not None and at <= time), None)
            if was is not None:
                found.update(_of_load(ordered, was))
    return found


def _of_load(versions: Iterable[KnownVersion], sequence: int) -> Iterator[str]:
    """Manifests of a load; which of several is meant, the time of publication decides."""
    return (version.entry.key for version in versions if version.manifest.sequence == sequence)


def _newest_first(versions: Sequence[KnownVersion]) -> list[KnownVersion]:
    return sorted(
        versions,
        key=lambda version: (version.manifest.sequence, version.touched, version.entry.key),
        reverse=True,
    )
