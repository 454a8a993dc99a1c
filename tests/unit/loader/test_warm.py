"""The warm loader: what is handed over is carried out once, one at a time, each in a process of its own."""

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Failure, Outcome, parse_outcome
from modelyard_api.contract.steps import Step
from modelyard_api.contract.warm import WarmState, WarmStep
from modelyard_loader.warm.child import Work
from modelyard_loader.warm.keeper import Keeper
from tests.support.steps import load_step
from tests.support.waiting import until

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ANSWER = Outcome(failure=Failure(failure_class=FailureClass.DATA, message="two rows have one key")).encode()


@dataclass
class Pod:
    """A warm loader's directories; a keeper is one life of its container."""

    directory: Path
    now: datetime = NOW
    keepers: list[Keeper] = field(default_factory=list)

    @property
    def handed(self) -> Path:
        return self.directory / "handed"

    def start(self, work: Work) -> Keeper:
        environment = {"LOG": str(self.directory / "log")}
        keeper = Keeper(self.handed, self.directory / "kept", environment, work, lambda: self.now)
        self.keepers.append(keeper)
        return keeper

    def hand(self, name: str, seconds: int = 0) -> None:
        step = WarmStep(step=load_step([{"name": "v1"}]), handed_at=NOW + timedelta(seconds=seconds))
        fresh = self.directory / name
        fresh.write_text(step.model_dump_json(by_alias=True, exclude_none=True))
        fresh.replace(self.handed / name)

    def log(self) -> list[str]:
        file = self.directory / "log"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    made = Pod(tmp_path)
    made.handed.mkdir()
    yield made
    for keeper in made.keepers:

        def look(one: Keeper = keeper) -> bool:
            one.close()
            made.now += timedelta(seconds=60)
            return not one.is_busy

        until(look, 10, "the end of a step")


def note(environment: Mapping[str, str], word: str) -> None:
    with Path(environment["LOG"]).open("a") as log:
        log.write(f"{word}\n")


def answering(_step: Step, environment: Mapping[str, str], room: Path) -> int:
    note(environment, f"begin-{room.name}")
    (room / "outcome").write_bytes(ANSWER)
    note(environment, f"end-{room.name}")
    return 11


def lasting(_step: Step, environment: Mapping[str, str], room: Path) -> int:
    note(environment, f"begin-{room.name}")
    signal.pause()
    return 0


def stubborn(_step: Step, environment: Mapping[str, str], room: Path) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # It never outlives the tests for long, whatever becomes of them.
    signal.alarm(60)
    note(environment, f"begin-{room.name}")
    while True:
        signal.pause()


def killed(_step: Step, _environment: Mapping[str, str], _room: Path) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def mute(_step: Step, _environment: Mapping[str, str], _room: Path) -> int:
    return 3


def raising(_step: Step, _environment: Mapping[str, str], _room: Path) -> int:
    raise SystemExit(0)


def ended(keeper: Keeper, name: str) -> WarmState:
    """The state of a step, once it ended."""

    def look() -> WarmState | None:
        keeper.look()
        state = keeper.page().steps.get(name)
        return state if state is not None and state.ended_at is not None else None

    return until(look, 10, f"the end of {name}")


def stopped(keeper: Keeper) -> None:
    """Waits until no step is at work."""

    def look() -> bool:
        keeper.look()
        return not keeper.is_busy

    until(look, 10, "the end of the step")


def begun(pod: Pod, keeper: Keeper, name: str) -> None:
    keeper.look()
    until(lambda: f"begin-{name}" in pod.log(), 10, f"the begin of {name}")


def test_a_step_is_carried_out_and_its_answer_is_on_the_page(pod: Pod) -> None:
    keeper = pod.start(answering)
    pod.hand("houses-1")
    state = ended(keeper, "houses-1")
    assert (state.handed_at, state.exit_code, state.message) == (NOW, 11, ANSWER.decode())


def test_steps_are_carried_out_one_after_the_other_in_order_of_handing_over(pod: Pod) -> None:
    pod.hand("a", seconds=2)
    pod.hand("b", seconds=1)
    keeper = pod.start(answering)
    ended(keeper, "a")
    assert pod.log() == ["begin-b", "end-b", "begin-a", "end-a"]


def test_a_step_that_ended_is_not_carried_out_again(pod: Pod) -> None:
    keeper = pod.start(answering)
    pod.hand("houses-1")
    ended(keeper, "houses-1")
    pod.hand("houses-2", seconds=1)
    ended(keeper, "houses-2")
    assert pod.log().count("begin-houses-1") == 1


def test_a_step_that_is_handed_over_anew_is_carried_out_anew(pod: Pod) -> None:
    keeper = pod.start(answering)
    pod.hand("houses-1")
    ended(keeper, "houses-1")
    pod.hand("houses-1", seconds=5)
    until(lambda: ended(keeper, "houses-1").handed_at > NOW, 10, "the second answer")
    assert pod.log().count("begin-houses-1") == 2


def test_a_step_that_is_taken_out_is_forgotten(pod: Pod) -> None:
    keeper = pod.start(answering)
    pod.hand("houses-1")
    ended(keeper, "houses-1")
    (pod.handed / "houses-1").unlink()
    keeper.look()
    assert keeper.page().steps == {}
    assert list((pod.directory / "kept" / "states").iterdir()) == []


def test_a_step_that_is_taken_out_while_it_is_at_work_is_stopped(pod: Pod) -> None:
    keeper = pod.start(lasting)
    pod.hand("houses-1")
    begun(pod, keeper, "houses-1")
    (pod.handed / "houses-1").unlink()
    stopped(keeper)
    assert list((pod.directory / "kept" / "rooms").iterdir()) == []


def test_a_step_that_does_not_stop_is_killed_after_a_while(pod: Pod) -> None:
    keeper = pod.start(stubborn)
    pod.hand("houses-1")
    begun(pod, keeper, "houses-1")
    (pod.handed / "houses-1").unlink()
    keeper.look()
    assert keeper.is_busy
    pod.now += timedelta(seconds=11)
    stopped(keeper)


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (killed, "its process was killed, as it is where memory runs out"),
        (mute, "its process ended with exit code 3 and left no answer"),
        (raising, "its process ended with exit code 1 and left no answer"),
    ],
)
def test_a_process_that_ends_without_an_answer_may_be_tried_again(pod: Pod, work: Work, why: str) -> None:
    keeper = pod.start(work)
    pod.hand("houses-1")
    outcome = parse_outcome(ended(keeper, "houses-1").message)
    assert outcome is not None
    assert outcome.failure is not None
    assert outcome.failure.failure_class == FailureClass.EVICTED
    assert outcome.failure.message == f"The step was cut off: {why}"


def test_a_container_that_is_restarted_does_not_begin_again_what_may_have_ended_it(pod: Pod) -> None:
    first = pod.start(lasting)
    pod.hand("houses-1")
    begun(pod, first, "houses-1")
    second = pod.start(answering)
    second.look()
    outcome = parse_outcome(ended(second, "houses-1").message)
    first.close()
    assert outcome is not None
    assert outcome.failure is not None
    assert "the warm loader itself was ended" in outcome.failure.message
    assert pod.log() == ["begin-houses-1"]


def test_a_container_that_is_restarted_knows_the_answers_from_before(pod: Pod) -> None:
    first = pod.start(answering)
    pod.hand("houses-1")
    state = ended(first, "houses-1")
    second = pod.start(answering)
    second.look()
    assert second.page().steps == {"houses-1": state}
    assert pod.log() == ["begin-houses-1", "end-houses-1"]


def test_a_file_that_is_no_step_is_left_to_others(pod: Pod) -> None:
    keeper = pod.start(answering)
    (pod.handed / "broken").write_text("{")
    pod.hand("houses-1")
    ended(keeper, "houses-1")
    assert list(keeper.page().steps) == ["houses-1"]


def test_without_anything_handed_over_nothing_is_done(pod: Pod) -> None:
    keeper = pod.start(answering)
    pod.handed.rmdir()
    keeper.look()
    assert keeper.page().steps == {}
    pod.handed.mkdir()
