"""What is known of a version's rows without reading them again: digest, statistics and a sample.

A profile is a document beside the manifest. The profile of a version to which rows were added is the profile before plus
that of the new rows, so a step reads only what it adds; the result is that of reading everything at once, to the bit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from modelyard_api.base import StatusModel
from modelyard_api.contract.manifest import Column, ColumnStatistics
from modelyard_api.digests import canonical_json
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.dataset_status import CLASSES_SHOWN, ClassCount
from modelyard_loader.record.columns import ColumnProfile, ColumnState, shown_value
from modelyard_runtime.columns import to_canonical
from modelyard_runtime.digest import AccumulatorState, ContentAccumulator, ContentDigest
from modelyard_runtime.errors import DataError
from modelyard_runtime.hashing import row_hashes, text_cells, whole
from modelyard_runtime.s3 import ObjectStore

SAMPLE_ROWS = 20
_WORTH_THREADS = 65_536
"""Rows from which on threads save more than they cost."""
_SAMPLE_SEED = 0x73616D706C65
_SHOWN_TEXT = 200
_NAME_LENGTH = 63

SampleValue = str | int | float | bool | None


class SampledRow(StatusModel):
    """A row of the sample and the hash that chose it, as 16 hex digits."""

    hash: str
    row: dict[str, SampleValue]


class ProfileState(StatusModel):
    """A ``Profile`` as a document."""

    schema_version: int = 1
    content: AccumulatorState
    columns: list[ColumnState]
    """The key's left out."""
    sample: list[SampledRow]


class Profile:
    """Digest, statistics and sample of rows that are named by a key."""

    def __init__(self, columns: Sequence[Column], key: Sequence[str]) -> None:
        self.content = ContentAccumulator(columns, key)
        self._columns = [ColumnProfile(column) for column in columns if column.name not in key]
        self._sample: list[SampledRow] = []

    @property
    def rows(self) -> int:
        """Rows added."""
        return self.content.rows

    @property
    def by_name(self) -> dict[str, ColumnProfile]:
        """What is known of each column, the key's left out."""
        return {each.column.name: each for each in self._columns}

    def add(self, rows: pa.Table, *, threads: int = 1, without: Collection[str] = ()) -> None:
        """Adds rows, looking at columns side by side where there are threads; nothing depends on how many.

        Columns ``without`` are not looked at, and taken over from another profile later. Raises DataError where the
        columns are others, or a row has no value in its key.
        """
        table = to_canonical(rows)
        texts = {
            each.column.name: text_cells(whole(table.column(each.column.name)))
            for each in self._columns
            if each.column.type is ColumnType.TEXT and each.column.name not in without
        }
        tasks: list[Callable[[], None]] = [
            partial(self.content.add, table, without, texts),
            partial(self._draw, table),
        ]
        for each in self._columns:
            name = each.column.name
            if name not in without:
                tasks.append(partial(_add_column, each, table, texts.get(name)))
        if threads == 1 or table.num_rows < _WORTH_THREADS:
            for task in tasks:
                task()
            return
        with ThreadPoolExecutor(threads, thread_name_prefix="profile") as pool:
            for done in [pool.submit(task) for task in tasks]:
                done.result()

    def take_over(self, other: Profile, names: Collection[str]) -> None:
        """Adds what another profile holds of columns that were not looked at; it is one of the same rows."""
        self.content.take_over(other.content, names)
        for column in self._columns:
            if column.column.name in names:
                column.merge(other.by_name[column.column.name])

    def merge(self, other: Profile) -> None:
        """Adds what the profile of other rows holds."""
        self.content.merge(other.content)
        for own, added in zip(self._columns, other._columns, strict=True):
            own.merge(added)
        self._keep(other._sample)

    def digest(self) -> ContentDigest:
        """Identity of the values."""
        return self.content.digest()

    def statistics(self) -> list[ColumnStatistics]:
        """One entry a column, the key's left out."""
        return [column.statistics() for column in self._columns]

    def sample(self) -> list[dict[str, SampleValue]]:
        """The rows with the smallest hashes of their key; a number that JSON does not have is null."""
        return [each.row for each in self._sample]

    def nullable(self, name: str) -> bool:
        """Whether a column misses a value somewhere; NaN counts."""
        return any(each.missing > 0 for each in self._columns if each.column.name == name)

    def classes(self, label: str | None) -> list[ClassCount]:
        """The largest classes of a column, and none where it has too many values to count each."""
        found = next((each.values for each in self._columns if each.column.name == label), None)
        if not found:
            return []
        largest = sorted(found.items(), key=lambda pair: (-pair[1], str(pair[0])))[:CLASSES_SHOWN]
        return [ClassCount(name=shown_value(value)[:_NAME_LENGTH], rows=rows) for value, rows in largest]

    def state(self) -> ProfileState:
        """The profile as a document."""
        return ProfileState(
            content=self.content.state(),
            columns=[column.state() for column in self._columns],
            sample=self._sample,
        )

    @classmethod
    def restored(cls, state: ProfileState) -> Profile:
        """The profile that ``state`` was made of."""
        made = cls([], [])
        made.content = ContentAccumulator.restored(state.content)
        made._columns = [ColumnProfile.restored(column) for column in state.columns]
        made._sample = list(state.sample)
        return made

    def _draw(self, table: pa.Table) -> None:
        if table.num_rows == 0:
            return
        hashes = row_hashes(table, self.content.key, _SAMPLE_SEED)
        chosen = self._small(hashes)
        rows = table.take(pa.array(chosen)).to_pylist()
        self._keep(
            [
                SampledRow(
                    hash=f"{int(hashes[place]):016x}", row={name: _json(value) for name, value in row.items()}
                )
                for place, row in zip(chosen, rows, strict=True)
            ]
        )

    def _small(self, hashes: np.ndarray) -> np.ndarray:
        """Places of the hashes that may be among the smallest: few, once there is a sample."""
        if len(self._sample) == SAMPLE_ROWS:
            return np.flatnonzero(hashes <= np.uint64(int(self._sample[-1].hash, 16)))
        count = min(SAMPLE_ROWS, len(hashes))
        return np.argpartition(hashes, count - 1)[:count]

    def _keep(self, added: Sequence[SampledRow]) -> None:
        together = [*self._sample, *added]
        # Copies of a row differ in what names them, which the hash may still give the same value.
        together.sort(key=lambda each: (each.hash, canonical_json(each.row)))
        self._sample = together[:SAMPLE_ROWS]


def write_profile(store: ObjectStore, prefix: str, profile: Profile) -> str:
    """Writes a profile below ``prefix`` under the name of its content; returns its address."""
    content = canonical_json(profile.state().model_dump(mode="json", by_alias=True))
    key = f"{prefix}/{hashlib.sha256(content).hexdigest()}.json"
    store.create(key, content)
    return store.uri(key)


def read_profile(store: ObjectStore, uri: str) -> Profile:
    """The profile at an address. Raises DataError if its content is not what its name says."""
    content = store.read(store.key(uri))
    if not uri.endswith(f"/{hashlib.sha256(content).hexdigest()}.json"):
        raise DataError("the content does not have the SHA-256 of its name", field=uri)
    try:
        return Profile.restored(ProfileState.model_validate_json(content))
    except ValidationError as error:
        raise DataError("is not a profile that this release can read", field=uri) from error


def _add_column(column: ColumnProfile, table: pa.Table, known: np.ndarray | None) -> None:
    column.add(whole(table.column(column.column.name)), known)


def _json(value: SampleValue) -> SampleValue:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and len(value) > _SHOWN_TEXT:
        return value[: _SHOWN_TEXT - 1] + "…"
    return value
