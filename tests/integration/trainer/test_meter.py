"""The program that starts own code: what it says of it, and that own code notices nothing."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelyard_api.contract.used import Used
from tests.support.meter import build_meter

MEBIBYTE = 2**20
# What is written, not only asked for.
HOLD = "import sys; held = b'x' * (int(sys.argv[1]) << 20)"
SPIN = "import time\nwhile time.process_time() < 0.2: pass"
HERD = """
import subprocess, sys
hold = sys.argv[1]
for child in [subprocess.Popen([sys.executable, "-c", hold, "60"]) for _ in range(2)]: child.wait()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("meter") / "meter"
    build_meter(program)
    return program


@dataclass(frozen=True)
class Meter:
    """The program, and a directory that stands for its container's control group."""

    program: Path
    directory: Path

    def command(self, *words: str) -> list[str]:
        return [str(self.program), str(self.report), str(self.directory), *words]

    @property
    def report(self) -> Path:
        return self.directory / "own.json"

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **variables}
        return subprocess.run(
            self.command(*words), env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def python(self, code: str, *words: str) -> Used:
        done = self.run(sys.executable, "-c", code, *words)
        assert done.returncode == 0, done.stderr
        return Used.model_validate_json(self.report.read_bytes())


@pytest.fixture
def meter(program: Path, tmp_path: Path) -> Meter:
    return Meter(program, tmp_path)


def test_memory_is_that_of_the_largest_process_and_processor_time_that_of_all(meter: Meter) -> None:
    none = meter.python(HOLD, "0")
    held = meter.python(HOLD, "200")
    assert held.peak_memory_bytes - none.peak_memory_bytes + 4 * MEBIBYTE >= 200 * MEBIBYTE
    assert held.peak_memory_bytes < none.peak_memory_bytes + 220 * MEBIBYTE
    spun = meter.python(SPIN)
    assert 0.2 <= spun.cpu_seconds < 2
    assert spun.seconds >= 0.2
    herd = meter.python(HERD, SPIN)
    assert herd.cpu_seconds >= 0.4


@pytest.mark.parametrize(
    ("file", "entries"),
    [
        ("memory.stat", "anon {}\nfile 900000000\nshmem 4096\n"),
        ("memory/memory.stat", "cache 900000000\nrss 1\ntotal_rss {}\ntotal_shmem 4096\n"),
    ],
    ids=["version 2", "version 1"],
)
def test_memory_that_processes_hold_together_is_read_from_either_version_of_control_groups(
    meter: Meter, file: str, entries: str
) -> None:
    place = meter.directory / file
    place.parent.mkdir(exist_ok=True)
    place.write_text(entries.format(700 * MEBIBYTE))
    assert meter.python(SPIN).peak_memory_bytes == 700 * MEBIBYTE + 4096
    place.write_text(entries.format(1))
    assert meter.python(HOLD, "50").peak_memory_bytes > 50 * MEBIBYTE


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise SystemExit(3)", 3), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137)],
)
def test_its_exit_status_is_that_of_the_command(meter: Meter, code: str, status: int) -> None:
    assert meter.run(sys.executable, "-c", code).returncode == status
    assert json.loads(meter.report.read_text())["peakMemoryBytes"] > 0


def test_the_command_is_found_on_the_path_and_gets_arguments_streams_and_variables_as_they_are(
    meter: Meter,
) -> None:
    done = meter.run("sh", "-c", 'echo "$0 $1 $WORD"; echo oops >&2', "a b", "--c", WORD="w")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a b --c w\n", "oops\n")


@pytest.mark.parametrize(("word", "status"), [("no-such-program", 127), ("/", 126)])
def test_a_command_that_cannot_be_run_is_named(meter: Meter, word: str, status: int) -> None:
    done = meter.run(word)
    assert done.returncode == status
    assert f"cannot run {word}: " in done.stderr


def test_a_signal_is_passed_on(meter: Meter) -> None:
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); print('ready', flush=True); signal.pause()"
    started = subprocess.Popen(meter.command(sys.executable, "-c", code), stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    with started:
        assert started.stdout.readline() == "ready\n"
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 7


def test_a_report_is_not_written_through_a_link(meter: Meter) -> None:
    target = meter.directory / "target"
    target.write_text("kept")
    meter.report.symlink_to(target)
    done = meter.run("true")
    assert (done.returncode, target.read_text()) == (0, "kept")
    assert "cannot write" in done.stderr


def test_it_runs_as_the_first_process_of_a_container_and_reaps_orphans(meter: Meter) -> None:
    orphan = (
        "import os, time\nif os.fork() == 0:\n os.fork() or time.sleep(0.2)\n os._exit(0)\ntime.sleep(0.5)"
    )
    words = ["unshare", "--pid", "--fork", "--kill-child", "--map-root-user", "--user"]
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces for an ordinary user here")
    done = subprocess.run([*words, *meter.command(sys.executable, "-c", orphan)], check=False, timeout=60)
    assert done.returncode == 0
    assert Used.model_validate_json(meter.report.read_bytes()).seconds >= 0.5
