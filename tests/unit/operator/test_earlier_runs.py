"""Earlier runs are read when something may have changed, and not for every question."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from modelyard_operator.errors import UnavailableError
from modelyard_operator.objects.registry import Earlier
from modelyard_operator.tracking.client import Tracking
from modelyard_operator.tracking.earlier import EarlierRuns


@dataclass
class Book:
    """In MLflow's place: what it holds, what it was asked, and the time."""

    runs: list[Earlier] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    down: bool = False
    now: float = 1000.0

    async def finished_runs(self, project: str, tag: str, since: int) -> list[Earlier]:
        assert (project, tag) == ("demo", "modelyard.dev/cache-key")
        self.asked.append(since)
        if self.down:
            raise UnavailableError("down")
        return [run for run in self.runs if run.ended >= since]


@pytest.fixture
def book() -> Book:
    return Book([run(1)])


@pytest.fixture
def earlier(book: Book) -> EarlierRuns:
    return EarlierRuns(cast("Tracking", book), lambda: book.now)


def run(number: int, key: str = "") -> Earlier:
    return Earlier(f"run-{number}", key or f"key-{number}", "houses", number * 1_000_000, "packed")


async def found(earlier: EarlierRuns, key: str) -> str | None:
    seen = await earlier.find("demo", key)
    return seen.run_id if seen else None


async def test_many_questions_are_one_to_mlflow(earlier: EarlierRuns, book: Book) -> None:
    assert [await found(earlier, key) for key in ("key-1", "key-2", "key-1")] == ["run-1", None, "run-1"]
    assert book.asked == [0]


async def test_a_run_that_ended_is_seen_by_the_next_question(earlier: EarlierRuns, book: Book) -> None:
    await found(earlier, "key-1")
    book.runs.append(run(2))
    assert await found(earlier, "key-2") is None
    earlier.changed("demo")
    assert await found(earlier, "key-2") == "run-2"
    assert book.asked == [0, 400_000]
    assert [each.run_id for each in earlier.comparable("demo")] == ["run-2", "run-1"]


async def test_runs_of_others_are_seen_after_a_minute(earlier: EarlierRuns, book: Book) -> None:
    await found(earlier, "key-1")
    book.runs.append(run(2))
    book.now += 61
    assert await found(earlier, "key-2") == "run-2"


async def test_the_newest_run_of_a_key_is_the_one(earlier: EarlierRuns, book: Book) -> None:
    book.runs += [run(3, "key-1"), run(2, "key-1")]
    assert await found(earlier, "key-1") == "run-3"


async def test_a_run_that_is_gone_is_not_found_again(earlier: EarlierRuns, book: Book) -> None:
    seen = await earlier.find("demo", "key-1")
    assert seen is not None
    earlier.forget("demo", seen, "model")
    earlier.changed("demo")
    assert await found(earlier, "key-1") is None
    assert earlier.comparable("demo") == []
    assert earlier.gone("demo", "key-1") == (seen, "model")
    book.runs.append(run(2, "key-1"))
    earlier.changed("demo")
    assert await found(earlier, "key-1") == "run-2"
    assert earlier.gone("demo", "key-1") is None


async def test_an_mlflow_that_never_answered_is_an_error_and_is_left_alone_for_some_seconds(
    earlier: EarlierRuns, book: Book
) -> None:
    book.down = True
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await found(earlier, "key-1")
    assert len(book.asked) == 1
    book.down, book.now = False, book.now + 6
    assert await found(earlier, "key-1") == "run-1"


async def test_an_mlflow_that_went_away_leaves_what_was_read(earlier: EarlierRuns, book: Book) -> None:
    await found(earlier, "key-1")
    book.down = True
    earlier.changed("demo")
    assert await found(earlier, "key-1") == "run-1"
