import asyncio
from collections.abc import Callable

import pytest

from modelyard_operator.cluster.store import Key
from modelyard_operator.handlers.queue import WorkQueue

A, B, C = (Key("TrainingJob", "demo", name) for name in "abc")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(clock, jitter=lambda: 0.5)


async def taken(queue: WorkQueue) -> Key:
    key, _ = await asyncio.wait_for(queue.take(), 5)
    return key


async def is_empty_handed(queue: WorkQueue) -> bool:
    """Whether a worker that asks now is left waiting."""
    task = asyncio.create_task(queue.take())
    await asyncio.wait({task}, timeout=0.02)
    waiting = not task.done()
    task.cancel()
    return waiting


async def test_keys_come_in_order_and_each_once(queue: WorkQueue) -> None:
    for key in (A, B, A):
        queue.add(key)
    assert [await taken(queue), await taken(queue)] == [A, B]
    assert await is_empty_handed(queue)


async def test_a_key_that_is_worked_on_is_given_to_nobody_else(queue: WorkQueue) -> None:
    queue.add(A)
    await taken(queue)
    queue.add(A)
    assert await is_empty_handed(queue)
    queue.finished(A)
    assert await taken(queue) == A


async def test_what_can_wait_comes_after_what_happened(queue: WorkQueue, clock: Clock) -> None:
    queue.add_late(A)
    queue.add(B)
    assert await taken(queue) == B
    assert await is_empty_handed(queue)
    clock.now += 0.2
    assert await taken(queue) == A


async def test_what_can_wait_comes_at_once_where_nothing_happened_lately(queue: WorkQueue) -> None:
    queue.add_late(A)
    assert await taken(queue) == A


async def test_a_worker_asleep_is_woken_when_calm_returns(queue: WorkQueue, clock: Clock) -> None:
    queue.add(B)
    queue.add_late(A)
    await taken(queue)
    asleep = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    clock.now += 0.2
    assert (await asyncio.wait_for(asleep, 5))[0] == A


async def test_an_event_brings_a_late_key_forward(queue: WorkQueue, clock: Clock) -> None:
    queue.add(B)
    queue.add_late(A)
    queue.add(A)
    assert [await taken(queue), await taken(queue)] == [B, A]
    clock.now += 0.2
    assert await is_empty_handed(queue)


async def test_of_eight_keys_one_is_an_overdue_one(queue: WorkQueue, clock: Clock) -> None:
    for name in ("x", "y"):
        queue.add_late(Key("TrainingJob", "demo", name))
    clock.now += 6
    for number in range(10):
        queue.add(Key("TrainingJob", "demo", str(number)))
    assert "".join([(await taken(queue)).name for _ in range(12)]) == "x0123456y789"


async def test_nothing_is_overdue_before_its_time(queue: WorkQueue, clock: Clock) -> None:
    queue.add_late(A)
    clock.now += 4
    queue.add(B)
    assert await taken(queue) == B


async def test_a_worker_that_asks_for_later_is_not_overruled_by_its_own_event(queue: WorkQueue) -> None:
    queue.add(A)
    await taken(queue)
    queue.add(A)
    queue.add_after(A, 0)
    queue.finished(A)
    queue.add(B)
    assert await taken(queue) == B
    assert await is_empty_handed(queue)


@pytest.mark.parametrize("put", [WorkQueue.add, WorkQueue.add_late])
async def test_each_key_wakes_one_of_several_sleepers(
    queue: WorkQueue, put: Callable[[WorkQueue, Key], None]
) -> None:
    sleepers = [asyncio.create_task(queue.take()) for _ in range(3)]
    await asyncio.sleep(0)
    put(queue, A)
    put(queue, B)
    done, pending = await asyncio.wait(sleepers, timeout=0.05)
    assert sorted(task.result()[0] for task in done) == [A, B]
    for task in pending:
        task.cancel()


async def test_pauses_double_with_each_failure_and_start_again_after_a_success(queue: WorkQueue) -> None:
    assert [queue.failed(A) for _ in range(3)] == [0.5, 1.0, 2.0]
    queue.succeeded(A)
    assert queue.failed(A) == 0.5
    queue.forget(A)


async def test_a_server_that_asks_for_patience_gets_it(queue: WorkQueue) -> None:
    assert queue.failed(A, retry_after=30) == 30
    queue.forget(A)
