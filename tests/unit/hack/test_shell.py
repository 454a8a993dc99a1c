"""Programs are run with their output kept, and ended with whoever runs them."""

import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from bringup.errors import BringUpError, CommandFailedError
from bringup.paths import REPOSITORY
from bringup.report import Reporter
from bringup.shell import Options, Shell
from tests.support.waiting import until

_ENDED_FROM_OUTSIDE = """
import signal, sys
from pathlib import Path
from bringup.report import Reporter
from bringup.shell import Shell

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
place = Path(sys.argv[1])
Shell(place, Reporter()).run("long", ["sh", "-c", f"echo $$ > {place}/pid; sleep 60"])
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, Reporter(StringIO()))


def test_a_failure_shows_its_last_lines_and_where_the_rest_is(shell: Shell, tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError) as failed:
        shell.run("noisy", ["sh", "-c", "seq 100; echo the reason >&2; exit 3"])
    said = str(failed.value)
    assert "ended with 3" in said
    assert "the reason" in said
    assert str(tmp_path / "noisy.log") in said
    assert "| 50\n" not in said


def test_a_program_that_takes_too_long_is_ended(shell: Shell) -> None:
    with pytest.raises(BringUpError, match="longer than"):
        shell.run("slow", ["sleep", "60"], Options(timeout=0.1))


def test_what_a_program_prints_is_returned(shell: Shell) -> None:
    assert shell.ask(["echo", "hello"]) == "hello"


def test_a_program_that_fails_or_is_not_there_says_nothing(shell: Shell) -> None:
    assert shell.ask(["false"]) is None
    assert shell.ask(["no-such-program-anywhere"]) is None


def test_a_pipe_fails_with_its_first_program(shell: Shell) -> None:
    with pytest.raises(CommandFailedError, match="lost the image"):
        shell.pipe("pipe", ["sh", "-c", "echo lost the image >&2; exit 1"], ["cat"])


def test_a_program_ends_when_the_bring_up_is_ended(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _ENDED_FROM_OUTSIDE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "hack")},
    )
    noted = tmp_path / "pid"
    pid = until(lambda: noted.read_text().strip() if noted.exists() else None, what="a running program")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 143
    until(lambda: not Path(f"/proc/{pid}").exists(), what="the end of the program")


def test_progress_is_plain_lines_where_there_is_no_terminal() -> None:
    out = StringIO()
    ticks = iter([10.0, 12.5])
    with Reporter(out, lambda: next(ticks)).step("building kind"):
        pass
    assert out.getvalue() == "  … building kind\n  ✓ building kind (2.5 s)\n"


def test_a_failed_step_is_marked() -> None:
    out = StringIO()
    with pytest.raises(RuntimeError), Reporter(out).step("building kind"):
        raise RuntimeError
    assert "✗ building kind" in out.getvalue()
