"""Builds all variants whose rows each depend on one loaded row, in one pass over the files that are new to them.

Each file is read once; a variant starts from the rows that its parent has just been given. Two files are worked on at a
time, each by a worker with engines of its own over one database. What a file gives depends on that file alone, and profiles
add up in any order, so nothing depends on how many work.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pyarrow as pa

from modelyard_api.contract.manifest import Part
from modelyard_loader.record.files import encoded, extended
from modelyard_loader.record.loads import PlacedPart
from modelyard_loader.record.planning import PlannedVariant
from modelyard_loader.record.profile import Profile
from modelyard_loader.record.stages import Stage, Stages
from modelyard_loader.record.ways import Way, ways
from modelyard_loader.transforms.limits import Limits

_WORKERS = 2
_MEMORY_OF_TWO = 320 * 1024 * 1024
"""Memory for the engine below which one file at a time is worked on: that of a pod of 800 MiB."""
_ROOM = 288 * 1024 * 1024
"""Bytes of memory up to which nothing is given back."""
_MEMORY_FILE = Path("/proc/self/statm")


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
    write: Callable[[str, bytes, int], Part]
    """Writes a file of a variant, which has so many rows."""
    limits: Limits


def release_memory() -> None:
    """Gives back what Arrow has freed and keeps, if the process is so large that a pod may not have room for it.

    Below that it is kept: to be given the same pages again would take a tenth of the work.
    """
    if _resident() > _ROOM:
        pa.default_memory_pool().release_unused()


def _resident() -> int:
    """Bytes of memory that the process has, or more than it may keep where the kernel does not say."""
    try:
        return int(_MEMORY_FILE.read_text().split()[1]) * mmap.PAGESIZE
    except OSError:
        return _ROOM + 1


def advance(lines: Sequence[Line], loaded: Sequence[PlacedPart], tools: Tools) -> None:
    """Brings every variant up to the loaded rows; each stands behind the one that it starts from.

    Raises DataError where rows do not fit a transform.
    """
    wanted = _wanted(lines)
    new = [placed for placed in loaded if placed.sequence > min(wanted.values(), default=0)]
    memory = tools.limits.memory_bytes
    workers_at_most = _WORKERS if memory is None or memory >= _MEMORY_OF_TWO else 1
    count = min(workers_at_most, len(new))
    if count == 0:
        return
    work = _Work(lines, wanted, ways([line.planned for line in lines]), tools, _WORKERS // count)
    with ExitStack() as stack:
        stages = stack.enter_context(closing(Stages(tools.limits)))
        workers = [stack.enter_context(_Worker(work, stages)) for _ in range(count)]
        jobs = [workers[number % count].submit(placed) for number, placed in enumerate(new)]
        for job in jobs:
            found = job.result()
            for line in lines:
                line.parts += found.get(line.name, ())
        for worker in workers:
            worker.report()


def _wanted(lines: Sequence[Line]) -> dict[str, int]:
    """For each variant the load after which its rows are needed, by itself or by one that starts from it."""
    since = {line.name: line.since for line in lines}
    for line in reversed(lines):
        parent = line.planned.variant.from_
        if parent in since:
            since[parent] = min(since[parent], since[line.name])
    return since


@dataclass(frozen=True)
class _Work:
    """What all workers do."""

    lines: Sequence[Line]
    wanted: Mapping[str, int]
    ways: Mapping[str, Way]
    tools: Tools
    threads: int
    """Threads of each worker."""

    def like(self, line: Line) -> Line | None:
        """An earlier variant that is given the same files and has the same rows."""
        way = self.ways[line.name]
        found = next((other for other in self.lines if other.name == way.like), None)
        return found if found is not None and found.since == line.since else None


class _Worker:
    """Gives one file at a time to all variants that need it, in a thread of its own."""

    def __init__(self, work: _Work, stages: Stages) -> None:
        self._work = work
        self._made = stages
        self._stages: dict[str, Stage] = {}
        self._profiles: dict[str, Profile] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="variants")
        self._jobs: list[Future[dict[str, tuple[Part, ...]]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_how: object) -> None:
        for job in self._jobs:
            job.cancel()
        self._pool.submit(self._close).result()
        self._pool.shutdown()

    def submit(self, placed: PlacedPart) -> Future[dict[str, tuple[Part, ...]]]:
        """Takes a file; gives the files that come of it for each variant to which it is new."""
        self._jobs.append(self._pool.submit(self._give, placed))
        return self._jobs[-1]

    def report(self) -> None:
        """Adds what is known of all files to the profiles of the variants. Nothing may be under way."""
        for line in self._work.lines:
            known = self._profiles.get(line.name)
            if known is None:
                continue
            like = self._work.like(line)
            if like is not None and not self._is_same(line, like):
                known.take_over(self._profiles[like.name], self._work.ways[line.name].shared)
            line.profile.merge(known)

    def _give(self, placed: PlacedPart) -> dict[str, tuple[Part, ...]]:
        tables: dict[str | None, pa.Table] = {None: self._work.tools.read(placed.part)}
        written: dict[str | None, tuple[Part, ...]] = {None: (placed.part,)}
        contents: dict[str | None, bytes] = {}
        found: dict[str, tuple[Part, ...]] = {}
        for number, line in enumerate(self._work.lines):
            if self._work.wanted[line.name] >= placed.sequence:
                continue
            way = self._work.ways[line.name]
            if way.holder not in tables:
                tables[way.holder] = self._stage(line, way).run(tables[way.start])
            rows = tables[way.holder]
            needed = {self._work.ways[other.name].start for other in self._work.lines[number + 1 :]}
            for holder in [each for each in tables if each not in needed]:
                del tables[holder]
            if line.since < placed.sequence:
                if way.holder not in written:
                    written[way.holder] = self._written(line, rows, contents)
                found[line.name] = written[way.holder]
                self._look(line, rows)
        tables.clear()
        release_memory()
        return found

    def _look(self, line: Line, rows: pa.Table) -> None:
        like = self._work.like(line)
        if like is not None and self._is_same(line, like):
            self._profiles[line.name] = self._profiles[like.name]
            return
        if line.name not in self._profiles:
            chain = line.planned.chain
            self._profiles[line.name] = Profile(chain.columns, chain.key)
        shared = self._work.ways[line.name].shared if like is not None else ()
        self._profiles[line.name].add(rows, threads=self._work.threads, without=shared)

    def _is_same(self, line: Line, other: Line) -> bool:
        """Whether two variants are one and the same table."""
        return self._work.ways[line.name].holder == self._work.ways[other.name].holder

    def _stage(self, line: Line, way: Way) -> Stage:
        if line.name not in self._stages:
            self._stages[line.name] = self._made.stage(way)
        return self._stages[line.name]

    def _written(self, line: Line, rows: pa.Table, contents: dict[str | None, bytes]) -> tuple[Part, ...]:
        """``contents`` are the files that were made of the same loaded file, by the variants whose rows they hold."""
        if rows.num_rows == 0:
            return ()
        way = self._work.ways[line.name]
        before = contents.get(way.extended) if way.extended is not None else None
        contents[way.holder] = encoded(rows) if before is None else extended(before, rows)
        return (self._work.tools.write(line.name, contents[way.holder], rows.num_rows),)

    def _close(self) -> None:
        for stage in self._stages.values():
            stage.close()
