"""What is measured, case by case; every time and count comes from the API server's record."""

import asyncio
import random
import statistics
from collections.abc import Iterator, Sequence

from tests.bench.figures import Figure
from tests.bench.operator import objects
from tests.bench.operator.audit import WRITES, Request
from tests.bench.operator.contenders import LOAD_USER, OPERATOR_USER
from tests.bench.operator.stage import Stage

_IDLE_PAUSE_SECONDS = 0.25
_EDITS_PER_SECOND = 20
_NAME_LENGTH = len("burst-0000")


def names(word: str, count: int) -> list[str]:
    """Names of one length each, so that a child's name tells its parent by how it begins."""
    return [f"{word}-{i:04d}" for i in range(count)]


async def burst(stage: Stage, size: int) -> list[Figure]:
    """Many objects at once: until each has its Job, and until the contender rests."""
    wanted = names("burst", size)
    start, before = len(stage.audit.requests), stage.usage()
    await stage.apply(wanted)
    await stage.until(lambda: len(_jobs(stage, start)) >= size, f"{size} Jobs")
    await stage.quiet()
    after = stage.usage()
    applied, made = _applied(stage, start), _jobs(stage, start)
    delays = [(made[n].answered - applied[n].received) * 1000 for n in wanted]
    first = min(r.received for r in applied.values())
    asked = stage.requests_since(start)
    writes = [r for r in asked if r.verb in WRITES]
    figures = [
        ("wall, first apply to last Job", "s", max(r.answered for r in made.values()) - first),
        ("apply to Job, p50", "ms", statistics.median(delays)),
        ("apply to Job, p99", "ms", percentile(delays, 99)),
        ("until the last write", "s", max(r.answered for r in writes) - first),
        ("writes an object", "", len(writes) / size),
        ("reads an object", "", (len(asked) - len(writes)) / size),
        ("CPU of API server and etcd", "s", after.server - before.server),
    ]
    if stage.program:
        figures.append(("CPU of the operator", "s", after.operator - before.operator))
        figures.append(("RSS peak of the operator", "MiB", stage.program.peak_memory_mebibytes))
    case = f"{size:,} {'object' if size == 1 else 'objects'}"
    return [Figure(case, stage.contender.name, figure, unit, value) for figure, unit, value in figures]


async def clear(stage: Stage) -> None:
    """Removes what a burst left, and lets the contender digest that."""
    if not stage.is_direct:
        await stage.client.delete_all(objects.TRAINING_JOBS)
    await stage.client.delete_all(f"{objects.JOBS}?propagationPolicy=Background")
    await stage.quiet()


async def idle(stage: Stage, count: int) -> list[Figure]:
    """One object after another, each on a contender that has nothing else to do."""
    start = len(stage.audit.requests)
    for done, name in enumerate(names("alone", count)):
        await stage.apply([name])
        await stage.until(lambda done=done: len(_jobs(stage, start)) > done, f"the Job of {name}")  # type: ignore[misc]
        await asyncio.sleep(_IDLE_PAUSE_SECONDS)
    applied, made = _applied(stage, start), _jobs(stage, start)
    alone = names("alone", count)
    delays = [(made[n].answered - applied[n].received) * 1000 for n in alone]
    figures = list(_delays("one object, idle", stage, "apply to Job", delays))
    if not stage.is_direct:
        # What is left when the API server's own two writes are taken away.
        between = [(made[n].received - applied[n].answered) * 1000 for n in alone]
        figures += _delays("one object, idle", stage, "of it between both writes", between)
    return figures


async def edits(stage: Stage, live: int, count: int) -> list[Figure]:
    """`spec.suspend` of some of the live objects is set, at a steady rate, until each Job has followed."""
    chosen = random.Random(live).sample(names("burst", live), count)  # noqa: S311  which ones does not matter
    start = len(stage.audit.requests)
    for name in chosen:
        await stage.client.patch(f"{objects.TRAINING_JOBS}/{name}", {"spec": {"suspend": True}})
        await asyncio.sleep(1 / _EDITS_PER_SECOND)
    await stage.until(lambda: len(_jobs(stage, start)) >= count, f"{count} Jobs following")
    edited = {
        r.name: r
        for r in stage.audit.requests[start:]
        if r.user == LOAD_USER and r.resource == "trainingjobs" and r.succeeded
    }
    made = _jobs(stage, start)
    delays = [(made[n].answered - edited[n].received) * 1000 for n in chosen]
    return list(_delays(f"edits among {live:,} objects", stage, "edit to action", delays))


async def rest(stage: Stage, live: int, seconds: float) -> list[Figure]:
    """Nothing happens: what the contender still writes and reads, per minute, and what it costs."""
    await stage.quiet()
    start, before = len(stage.audit.requests), stage.usage()
    await asyncio.sleep(seconds)
    stage.audit.follow()
    after = stage.usage()
    asked, per_minute = stage.requests_since(start), 60 / seconds
    writes = sum(r.verb in WRITES for r in asked)
    figures = [
        ("writes a minute", "", writes * per_minute),
        ("renewals of the Lease a minute", "", stage.lease_writes_since(start) * per_minute),
        ("reads a minute", "", (len(asked) - writes) * per_minute),
        ("CPU of the operator a minute", "s", (after.operator - before.operator) * per_minute),
    ]
    return [
        Figure(f"at rest with {live:,} objects", stage.contender.name, figure, unit, value)
        for figure, unit, value in figures
    ]


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that `percent` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _delays(case: str, stage: Stage, figure: str, delays: Sequence[float]) -> Iterator[Figure]:
    for name, value in (("p50", statistics.median(delays)), ("p99", percentile(delays, 99))):
        yield Figure(case, stage.contender.name, f"{figure}, {name}", "ms", value)


def _applied(stage: Stage, start: int) -> dict[str, Request]:
    resource = "jobs" if stage.is_direct else "trainingjobs"
    return {
        r.name[:_NAME_LENGTH]: r
        for r in stage.audit.requests[start:]
        if r.user == LOAD_USER and r.resource == resource and r.verb == "create" and r.succeeded
    }


def _jobs(stage: Stage, start: int) -> dict[str, Request]:
    """The contender's first write of each Job, by the name of the object that it is for."""
    user = LOAD_USER if stage.is_direct else OPERATOR_USER
    made: dict[str, Request] = {}
    for r in stage.audit.requests[start:]:
        if r.user == user and r.resource == "jobs" and r.verb in WRITES and r.succeeded:
            made.setdefault(r.name[:_NAME_LENGTH], r)
    return made
