"""Every way out of a step: an exit code, and a message without a stack trace."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard_api.contract.exit_codes import ExitCode, FailureClass
from modelyard_api.contract.outcome import (
    LIMIT_BYTES,
    TERMINATION_VARIABLE,
    LoadOutcome,
    Outcome,
    parse_outcome,
)
from modelyard_api.contract.steps import STEP_VARIABLE, Step
from modelyard_runtime.errors import DataError, InvalidSpecError, PlatformError
from modelyard_runtime.exit import STOPPED, run_step

pytestmark = pytest.mark.usefixtures("own_logging")

_STEP = {
    "load": {
        "owner": {"project": "demo", "name": "houses", "uid": "u", "generation": 1},
        "source": {"builtin": {"name": "iris"}},
        "primaryKey": ["row"],
        "variants": [{"name": "v1"}],
        "split": {},
        "postgres": {"host": "h", "schema_": "demo"},
        "s3": {"endpointUrl": "", "bucket": "b", "prefix": "demo"},
    }
}
_DONE = Outcome(
    load=LoadOutcome(sequence=1, rows=2, source_digest="sha256:0", audit_head="sha256:1", variants=[])
)


def _environment(directory: Path) -> dict[str, str]:
    return {
        STEP_VARIABLE: json.dumps(_STEP),
        TERMINATION_VARIABLE: str(directory / "message"),
    }


def _raising(error: BaseException) -> Callable[[Step], Outcome]:
    def work(_step: Step) -> Outcome:
        raise error

    return work


def _outcome(directory: Path) -> Outcome:
    found = parse_outcome((directory / "message").read_text())
    assert found is not None
    return found


def test_a_step_that_ends_well_answers_with_its_outcome(tmp_path: Path) -> None:
    assert run_step(lambda _step: _DONE, _environment(tmp_path)) == ExitCode.OK
    assert _outcome(tmp_path) == _DONE


@pytest.mark.parametrize(
    ("error", "status", "failure_class"),
    [
        (InvalidSpecError("no"), ExitCode.INVALID_SPEC, FailureClass.INVALID_SPEC),
        (DataError("no"), ExitCode.DATA, FailureClass.DATA),
        (PlatformError("no"), ExitCode.PLATFORM, FailureClass.PLATFORM),
        (ValueError("no"), ExitCode.CODE, FailureClass.CODE),
        (MemoryError(), ExitCode.CODE, FailureClass.OUT_OF_MEMORY),
    ],
)
def test_an_error_becomes_its_exit_code_and_class(
    tmp_path: Path, error: Exception, status: ExitCode, failure_class: FailureClass
) -> None:
    assert run_step(_raising(error), _environment(tmp_path)) == status
    failure = _outcome(tmp_path).failure
    assert failure is not None
    assert failure.failure_class is failure_class


def test_a_failure_says_field_value_problem_and_remedy(tmp_path: Path) -> None:
    error = InvalidSpecError(
        "is not a column", field="spec.target", value="Price", remedy="did you mean price?"
    )
    run_step(_raising(error), _environment(tmp_path))
    failure = _outcome(tmp_path).failure
    assert failure is not None
    assert failure.sentence() == "spec.target = 'Price': is not a column. Did you mean price?"


def test_an_unknown_error_says_its_name_and_keeps_its_trace_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_step(_raising(ZeroDivisionError("by\nzero")), _environment(tmp_path))
    failure = _outcome(tmp_path).failure
    assert failure is not None
    assert failure.message == "ZeroDivisionError: by zero"
    assert "Traceback" not in failure.log_tail
    assert "Traceback" in capsys.readouterr().err


def test_a_failure_carries_the_last_lines_of_the_log(tmp_path: Path) -> None:
    def work(_step: Step) -> Outcome:
        for number in range(50):
            logging.getLogger("work").info("row %d", number)
        raise DataError("no")

    run_step(work, _environment(tmp_path))
    failure = _outcome(tmp_path).failure
    assert failure is not None
    lines = failure.log_tail.splitlines()
    assert lines[-2:] == ["INFO row 49", "ERROR no"]
    assert len(lines) == 20


def test_a_message_is_never_longer_than_the_kubelet_keeps(tmp_path: Path) -> None:
    def work(_step: Step) -> Outcome:
        for _ in range(50):
            logging.getLogger("work").info("é" * 1000)
        raise DataError("é" * 9000, remedy="é" * 9000)

    run_step(work, _environment(tmp_path))
    assert (tmp_path / "message").stat().st_size <= LIMIT_BYTES
    assert _outcome(tmp_path).failure is not None


def test_a_termination_signal_ends_the_step_with_its_own_status(tmp_path: Path) -> None:
    def work(_step: Step) -> Outcome:
        os.kill(os.getpid(), signal.SIGTERM)
        return _DONE

    assert run_step(work, _environment(tmp_path)) == STOPPED
    failure = _outcome(tmp_path).failure
    assert failure is not None
    assert failure.failure_class is FailureClass.EVICTED


def test_a_termination_signal_is_not_taken_for_a_failure_of_the_step(tmp_path: Path) -> None:
    def work(_step: Step) -> Outcome:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:  # noqa: BLE001  what a careless step would do
            return _DONE
        return _DONE

    assert run_step(work, _environment(tmp_path)) == STOPPED


def test_an_outcome_that_cannot_be_written_is_tried_again_by_the_operator(tmp_path: Path) -> None:
    environment = {**_environment(tmp_path), TERMINATION_VARIABLE: str(tmp_path / "none" / "message")}
    assert run_step(lambda _step: _DONE, environment) == ExitCode.PLATFORM


def test_a_missing_step_is_named(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    del environment[STEP_VARIABLE]
    assert run_step(lambda _step: _DONE, environment) == ExitCode.INVALID_SPEC
    failure = _outcome(tmp_path).failure
    assert failure is not None
    assert failure.message == "MODELYARD_STEP: is not set"


def test_a_step_that_cannot_be_read_names_the_field(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    document = json.loads(environment[STEP_VARIABLE])
    document["load"]["split"] = {"seed": -5}
    environment[STEP_VARIABLE] = json.dumps(document)
    assert run_step(lambda _step: _DONE, environment) == ExitCode.INVALID_SPEC
    failure = _outcome(tmp_path).failure
    assert failure is not None
    assert failure.message.startswith("MODELYARD_STEP.load.split.seed = -5: ")


def test_the_end_does_what_was_left_for_it_and_takes_nothing_apart() -> None:
    program = """
import atexit
from modelyard_runtime.exit import end

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()
atexit.register(print, "left for the exit")
print("done")
end(11)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (11, "done\nleft for the exit\n", "")
