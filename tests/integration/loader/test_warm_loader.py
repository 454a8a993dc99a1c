"""The warm loader as its pod runs it: real steps, one process each, the same rows and versions as from Jobs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from modelyard_api.contract.outcome import LoadOutcome, parse_outcome
from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import CREDENTIALS_VARIABLE, LoadStep, Step
from modelyard_api.contract.warm import (
    STEPS_VARIABLE,
    WARM_ARGUMENT,
    WARM_DIRECTORY_VARIABLE,
    WARM_PATH,
    WarmPage,
    WarmState,
    WarmStep,
)
from tests.support import plain
from tests.support.loading import LoaderRun
from tests.support.ports import free_port
from tests.support.waiting import until

V1 = [{"name": "v1"}]


@dataclass(frozen=True)
class Warm:
    """A warm loader, its directory of steps and its page."""

    process: "subprocess.Popen[bytes]"
    handed: Path
    port: int

    def hand(self, name: str, step: LoadStep) -> None:
        document = WarmStep(step=Step(load=step), handed_at=datetime.now(UTC))
        fresh = self.handed.parent / name
        fresh.write_text(document.model_dump_json(by_alias=True, exclude_none=True))
        fresh.replace(self.handed / name)

    def page(self) -> WarmPage:
        answer = plain.get(f"http://127.0.0.1:{self.port}{WARM_PATH}")
        return WarmPage.model_validate_json(answer.content)

    def state(self, name: str) -> WarmState:
        """The state of a step, once it ended."""

        def look() -> WarmState | None:
            found = self.page().steps.get(name)
            return found if found is not None and found.ended_at is not None else None

        return until(look, 60, f"the end of {name}")


def answered(state: WarmState) -> LoadOutcome:
    outcome = parse_outcome(state.message)
    assert outcome is not None
    assert outcome.load is not None, outcome.failure
    assert state.exit_code == 0
    return outcome.load


@contextmanager
def warm_loader(run: LoaderRun) -> Iterator[Warm]:
    """A warm loader for the time of the block."""
    handed, port = run.directory / "handed", free_port()
    handed.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        CREDENTIALS_VARIABLE: str(run.mounted()),
        PROGRESS_VARIABLE: str(port),
        STEPS_VARIABLE: str(handed),
        WARM_DIRECTORY_VARIABLE: str(run.directory / "kept"),
    }
    log = run.directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "modelyard_loader", WARM_ARGUMENT],
            env=environment,
            stderr=output,
        )
    try:
        warm = Warm(process, handed, port)
        until(lambda: answers(warm), 30, "the page")
        yield warm
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()


def answers(warm: Warm) -> bool:
    try:
        return warm.page() == WarmPage()
    except httpx.TransportError:
        return False


def test_loads_from_the_warm_loader_are_those_of_jobs(loader: LoaderRun) -> None:
    steps = [
        loader.step(V1).model_copy(update={"sequence": number, "percent": percent})
        for number, percent in enumerate(("40", "43", "46"), start=1)
    ]
    with warm_loader(loader) as warm:
        for step in steps:
            warm.hand(f"houses-{step.sequence}", step)
        found = [answered(warm.state(f"houses-{step.sequence}")) for step in steps]
    assert [(load.sequence, load.percent) for load in found] == [(1, "40"), (2, "43"), (3, "46")]
    again = [loader.here(step) for step in steps[2:]]
    assert [load.variants for load in again] == [load.variants for load in found[2:]]
    assert again[0].audit_head == found[2].audit_head


def test_a_step_that_fails_costs_nothing_but_itself(
    loader: LoaderRun,
) -> None:
    wrong = loader.step([{"name": "v1", "transforms": [{"filter": {"where": "no_such_column > 1"}}]}])
    with warm_loader(loader) as warm:
        warm.hand("houses-1", wrong)
        outcome = parse_outcome(warm.state("houses-1").message)
        assert outcome is not None
        assert outcome.failure is not None
        assert "no_such_column" in outcome.failure.message
        warm.hand("houses-2", loader.step(V1))
        assert answered(warm.state("houses-2")).rows > 0
        (warm.handed / "houses-1").unlink()
        (warm.handed / "houses-2").unlink()
        until(lambda: warm.page() == WarmPage(), 10, "the steps being forgotten")
    assert list((loader.directory / "kept" / "rooms").iterdir()) == []
