"""What a step says of itself while it works."""

import socket
from datetime import UTC, datetime, timedelta

from modelyard_api.contract.progress import PROGRESS_PATH, PROGRESS_VARIABLE, Phase, StepProgress
from modelyard_runtime.progress import Progress, served
from modelyard_runtime.retry import Patience, patiently
from tests.support import plain
from tests.support.ports import free_port

_START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """A time that goes on by a second whenever it is asked for."""

    def __init__(self) -> None:
        self._asked = -1

    def __call__(self) -> datetime:
        self._asked += 1
        return _START + timedelta(seconds=self._asked)


def test_a_phase_counts_what_is_done_from_its_beginning() -> None:
    progress = Progress(Clock())
    progress.begin(Phase.LOADING, total=100)
    progress.add(30)
    progress.add(20)
    seen = progress.now()
    assert (seen.phase, seen.done, seen.total, seen.since) == (
        "Loading",
        50,
        100,
        _START + timedelta(seconds=1),
    )
    progress.begin(Phase.BUILDING)
    assert (progress.now().phase, progress.now().done, progress.now().total) == ("Building", 0, None)


def test_a_phase_that_begins_twice_goes_on_and_one_that_lost_its_work_starts_anew() -> None:
    progress = Progress(Clock())
    progress.begin(Phase.LOADING, total=9)
    progress.add(5)
    progress.begin(Phase.LOADING, total=9)
    assert progress.now().done == 5
    progress.again()
    assert progress.now().done == 0


def test_what_is_waited_for_is_said_until_it_answers_again() -> None:
    progress = Progress(Clock())
    heard: list[str] = []

    def listen(clause: str) -> None:
        progress.wait_for(clause)
        heard.append(progress.now().waiting_for)

    failures = iter([OSError("away"), OSError("away")])

    def ask() -> str:
        for failure in failures:
            raise failure
        return "here"

    patience = Patience(clock=lambda: 0.0, pause=lambda _: None, notice=listen)
    assert patiently(ask, lambda error: isinstance(error, OSError), patience, "S3 at here") == "here"
    assert heard == ["S3 at here does not answer (away)"] * 2 + [""]


def test_the_page_shows_where_the_step_is() -> None:
    progress = Progress(Clock())
    port = free_port()
    with served(progress, {PROGRESS_VARIABLE: str(port)}) as found:
        assert found == port
        progress.begin(Phase.PUBLISHING, total=3)
        progress.add(1)
        answer = plain.get(f"http://127.0.0.1:{port}{PROGRESS_PATH}")
        assert StepProgress.model_validate_json(answer.text) == progress.now()
        assert plain.get(f"http://127.0.0.1:{port}/secrets").status_code == 404
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_step_goes_on_without_a_page_where_the_port_is_taken_or_turned_off() -> None:
    with socket.create_server(("", 0)) as taken:
        number = str(taken.getsockname()[1])
        with served(Progress(), {PROGRESS_VARIABLE: number}) as port:
            assert port is None
    with served(Progress(), {PROGRESS_VARIABLE: "0"}) as port:
        assert port is None
