"""Builds all variants whose rows each depend on one loaded row, in one pass over the files that are new to them.

Each file is read once; a variant starts from the rows that its parent has just been given. Two files are worked on at a
time, each by a worker with engines of its own over one database. What a file gives depends on that file alone, and profiles
add up in any order, so nothing depends on how many work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from threading import Lock
from typing import Self

import pyarrow as pa

from modelyard_api.contract.manifest import Part
from modelyard_loader.record.loads import PlacedPart
from modelyard_loader.record.planning import PlannedVariant
from modelyard_loader.record.profile import Profile, Seen
from modelyard_loader.transforms.chain import Chain
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.limits import Limits
from modelyard_loader.transforms.rows import Rows
from modelyard_runtime.digest import in_key_order

_WORKERS = 2
_MEMORY_OF_TWO = 320 * 1024 * 1024
"""Memory for the engine below which one file at a time is worked on: that of a pod of 800 MiB."""


@dataclass
class Line:
    """A variant on its way: what an earlier version has, and what comes to it."""

    planned: PlannedVariant
    profile: Profile
    parts: list[Part] = field(default_factory=list)
    since: int = 0
    """The load up to which rows are in it already."""

    @property
    def name(self) -> str:
        """Name of the variant."""
        return self.planned.variant.name


@dataclass(frozen=True)
class Tools:
    """What the work is done with; called from several threads."""

    read: Callable[[Part], pa.Table]
    write: Callable[[str, pa.Table], Part]
    """Writes a file of a variant."""
    limits: Limits


@dataclass(frozen=True)
class Given:
    """What one file gives to one variant."""

    parts: tuple[Part, ...]
    profile: Profile


def release_memory() -> None:
    """Gives back what Arrow has freed and keeps, which a pod does not have room for."""
    pa.default_memory_pool().release_unused()


def advance(lines: Sequence[Line], loaded: Sequence[PlacedPart], tools: Tools) -> None:
    """Brings every variant up to the loaded rows; each stands behind the one that it starts from.

    Raises DataError where rows do not fit a transform.
    """
    wanted = _wanted(lines)
    new = [placed for placed in loaded if placed.sequence > min(wanted.values(), default=0)]
    memory = tools.limits.memory_bytes
    workers_at_most = _WORKERS if memory is None or memory >= _MEMORY_OF_TWO else 1
    count = min(workers_at_most, len(new))
    with ExitStack() as stack:
        stages = stack.enter_context(closing(_Stages(tools.limits)))
        workers = [
            stack.enter_context(_Worker(lines, wanted, tools, stages, threads=_WORKERS // count))
            for _ in range(count)
        ]
        jobs = [workers[number % count].submit(placed) for number, placed in enumerate(new)]
        for job in jobs:
            _take(lines, job.result())


def _take(lines: Sequence[Line], found: Mapping[str, Given]) -> None:
    for line in lines:
        if line.name in found:
            line.parts += found[line.name].parts
            line.profile.merge(found[line.name].profile)


def _wanted(lines: Sequence[Line]) -> dict[str, int]:
    """For each variant the load after which its rows are needed, by itself or by one that starts from it."""
    since = {line.name: line.since for line in lines}
    for line in reversed(lines):
        parent = line.planned.variant.from_
        if parent in since:
            since[parent] = min(since[parent], since[line.name])
    return since


class _Stage:
    """The transforms of a variant over rows of the one that it starts from."""

    def __init__(self, schema: pa.Schema, database: Engine, compiled: Callable[[Engine], Chain]) -> None:
        self._rows: pa.Table | None = None
        self.engine = Engine(Rows(schema, self._batches), beside=database)
        self._chain = compiled(self.engine)
        self._text = self._chain.text(self.engine)

    def run(self, rows: pa.Table) -> pa.Table:
        """Rows of the variant, in key order as those that they are made of."""
        self._rows = rows
        batches = list(self._chain.batches(self.engine, text=self._text))
        self._rows = None
        return in_key_order(pa.Table.from_batches(batches, schema=self._chain.schema), self._chain.key)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._rows is not None:
            yield from self._rows.to_batches()


class _Stages:
    """Makes the stages of all workers: over one database, each chain of transforms compiled once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._database: Engine | None = None
        self._chains: dict[str, Chain] = {}

    def stage(self, planned: PlannedVariant, parent: Chain | None) -> _Stage:
        """The transforms of a variant over rows of ``parent``, or over the loaded rows if there is none."""
        before = parent if parent is not None else Chain(planned.chain.key, planned.chain.loaded)

        def compiled(engine: Engine) -> Chain:
            if parent is None:
                return planned.chain
            known = planned.variant.name
            if known not in self._chains:
                self._chains[known] = Chain(parent.key, parent.columns).extended(planned.variant, engine)
            return self._chains[known]

        with self._lock:
            if self._database is None:
                self._database = Engine(before.schema.empty_table(), self._limits)
            return _Stage(before.schema, self._database, compiled)

    def close(self) -> None:
        """Closes the database; the engines of all stages must be closed."""
        if self._database is not None:
            self._database.close()


class _Worker:
    """Gives one file at a time to all variants that need it, in a thread of its own."""

    def __init__(
        self,
        lines: Sequence[Line],
        wanted: Mapping[str, int],
        tools: Tools,
        stages: _Stages,
        *,
        threads: int,
    ) -> None:
        self._lines = lines
        self._wanted = wanted
        self._tools = tools
        self._threads = threads
        self._chains = {line.name: line.planned.chain for line in lines}
        self._made = stages
        self._stages: dict[str, _Stage] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="variants")
        self._jobs: list[Future[dict[str, Given]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_how: object) -> None:
        for job in self._jobs:
            job.cancel()
        self._pool.submit(self._close).result()
        self._pool.shutdown()

    def submit(self, placed: PlacedPart) -> Future[dict[str, Given]]:
        """Takes a file."""
        self._jobs.append(self._pool.submit(self._work, placed))
        return self._jobs[-1]

    def _work(self, placed: PlacedPart) -> dict[str, Given]:
        tables: dict[str | None, pa.Table] = {None: self._tools.read(placed.part)}
        given: dict[str | None, Given] = {}
        holders: dict[str | None, str | None] = {}
        found: dict[str, Given] = {}
        for number, line in enumerate(self._lines):
            if self._wanted[line.name] >= placed.sequence:
                continue
            parent = holders.get(line.planned.variant.from_)
            holder = self._holder(line, holders)
            if holder not in tables:
                tables[holder] = self._stage(line, holders).run(tables[parent])
            holders[line.name] = holder
            if line.since < placed.sequence:
                if holder not in given:
                    parts = (placed.part,) if holder is None else self._written(line, tables[holder])
                    seen = Seen(tables[parent], given[parent].profile) if parent in given else None
                    given[holder] = Given(parts, self._profile(line, tables[holder], seen))
                found[line.name] = given[holder]
            for other in self._done(tables, holders, self._lines[number + 1 :]):
                del tables[other]
        tables.clear()
        release_memory()
        return found

    def _holder(self, line: Line, holders: Mapping[str | None, str | None]) -> str | None:
        """The variant whose rows are those of this one: itself, one before it, or None for the loaded rows."""
        if line.planned.untransformed:
            return None
        parent = line.planned.variant.from_
        known = parent in holders and not line.planned.variant.transforms
        return holders[parent] if known else line.name

    def _done(
        self,
        tables: Mapping[str | None, pa.Table],
        holders: Mapping[str | None, str | None],
        rest: Sequence[Line],
    ) -> list[str | None]:
        """Rows that no variant to come starts from."""
        read = {holders.get(line.planned.variant.from_) for line in rest}
        return [holder for holder in tables if holder not in read]

    def _stage(self, line: Line, holders: Mapping[str | None, str | None]) -> _Stage:
        """The transforms over the rows of the parent if it was given the file, else over the loaded rows."""
        if line.name not in self._stages:
            parent = line.planned.variant.from_
            chain = self._chains[parent] if parent is not None and parent in holders else None
            self._stages[line.name] = self._made.stage(line.planned, chain)
        return self._stages[line.name]

    def _written(self, line: Line, rows: pa.Table) -> tuple[Part, ...]:
        return (self._tools.write(line.name, rows),) if rows.num_rows else ()

    def _profile(self, line: Line, rows: pa.Table, like: Seen | None) -> Profile:
        made = Profile(line.planned.chain.columns, line.planned.chain.key)
        made.add(rows, threads=self._threads, like=like)
        return made

    def _close(self) -> None:
        for stage in self._stages.values():
            stage.engine.close()
