"""What a forking process starts behaves as what an interpreter of its own starts."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.forking import ForkingProcess, Program
from tests.support.programs import Started

_MAIN = """
import os, random, sys
print(random.random(), os.environ.get("WORD"), os.getpid(), os.getcwd(), file=sys.stderr, flush=True)
if os.environ["END"] == "wait":
    sys.stdin.close()
    import signal
    signal.pause()
if os.environ["END"] == "slow":
    import atexit, threading
    first = threading.Event()
    atexit.register(lambda: print("second", file=sys.stderr))
    threading.Thread(target=lambda: (first.wait(60), print("first", file=sys.stderr))).start()
    first.set()
    sys.exit()
if os.environ["END"] == "words":
    sys.exit("these words")
sys.exit(int(os.environ["END"]))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkingProcess]:
    package = tmp_path / "ended_as_told"
    package.mkdir()
    (package / "__init__.py").touch()
    guarded = 'if __name__ == "__main__":\n' + "".join(f"    {line}\n" for line in _MAIN.splitlines())
    (package / "__main__.py").write_text(guarded)
    monkeypatch.syspath_prepend(str(tmp_path))
    forking = ForkingProcess(Program("ended_as_told", ("-W", "error")))
    yield forking
    forking.close()


def start(program: ForkingProcess, log: Path, **environment: str) -> Started:
    with log.open("wb") as file:
        return Started(program.start(environment, 1, file.fileno()), log)


@pytest.mark.parametrize("status", [0, 3])
def test_it_ends_with_its_own_exit_status(program: ForkingProcess, tmp_path: Path, status: int) -> None:
    started = start(program, tmp_path / "log", END=str(status))
    assert started.process.wait(20) == status
    assert started.process.poll() == status


def test_each_has_its_own_environment_log_process_and_chance(program: ForkingProcess, tmp_path: Path) -> None:
    both = [start(program, tmp_path / word, END="0", WORD=word) for word in ("one", "two")]
    assert [started.process.wait(20) for started in both] == [0, 0]
    chances, words, pids, places = zip(*(started.log.split() for started in both), strict=True)
    assert words == ("one", "two")
    assert pids == tuple(str(started.process.pid) for started in both)
    assert places == (str(Path.cwd()), str(Path.cwd()))
    assert chances[0] != chances[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it(program: ForkingProcess, tmp_path: Path, number: signal.Signals) -> None:
    started = start(program, tmp_path / "log", END="wait")
    assert started.process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        started.process.wait(0.05)
    started.process.send_signal(number)
    assert started.process.wait(20) == -number
    started.process.send_signal(number)


def test_its_end_waits_for_threads_and_does_what_was_left_for_it(
    program: ForkingProcess, tmp_path: Path
) -> None:
    started = start(program, tmp_path / "log", END="slow")
    assert started.process.wait(20) == 0
    assert started.log.split()[-2:] == ["first", "second"]


def test_words_instead_of_a_status_are_an_end_with_them_in_the_log(
    program: ForkingProcess, tmp_path: Path
) -> None:
    started = start(program, tmp_path / "log", END="words")
    assert started.process.wait(20) == 1
    assert started.log.endswith("these words\n")


def test_an_error_is_an_end_with_its_trace_in_the_log(program: ForkingProcess, tmp_path: Path) -> None:
    started = start(program, tmp_path / "log", END="no number")
    assert started.process.wait(20) == 1
    assert "ValueError" in started.log


def test_a_package_that_cannot_be_imported_is_told_at_the_first_start(tmp_path: Path) -> None:
    absent = ForkingProcess(Program("no_such_package"))
    with pytest.raises((RuntimeError, BrokenPipeError, ConnectionResetError)):
        start(absent, tmp_path / "log", END="0")
    absent.close()
