"""``hack/test`` runs all layers one after the other and says of each how it went."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from bringup.paths import REPOSITORY
from tests.support.waiting import until

LAYERS = ("static checks", "unit", "charts", "integration", "e2e")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script, and in place of what it runs scripts that say what they are asked."""
    (tmp_path / "hack").mkdir()
    shutil.copy(REPOSITORY / "hack" / "test", tmp_path / "hack" / "test")
    _script(tmp_path, "check-static", "echo lint")
    _script(tmp_path, "verify", "echo generated")
    _script(tmp_path, "run-tests", 'echo "layer $1"')
    return tmp_path


def _script(checkout: Path, name: str, line: str) -> None:
    file = checkout / "hack" / name
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


def _run(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "hack" / "test"], capture_output=True, text=True, timeout=30, check=False
    )


def _results(said: str) -> dict[str, str]:
    return dict(re.findall(r"^(\S.*?) +(passed|FAILED) +\d+:\d\d$", said, re.MULTILINE))


def test_layers_run_one_after_the_other(checkout: Path) -> None:
    done = _run(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    said = ["lint", "generated", "layer unit", "layer charts", "layer integration", "layer e2e"]
    assert done.stdout.splitlines()[:6] == said
    assert _results(done.stdout) == dict.fromkeys(LAYERS, "passed")


@pytest.mark.parametrize(
    ("script", "fails", "layer"),
    [
        ("check-static", "exit 1", "static checks"),
        ("verify", "exit 1", "static checks"),
        ("run-tests", "[ $1 != unit ]", "unit"),
        ("run-tests", "[ $1 != integration ]", "integration"),
        ("run-tests", "[ $1 != e2e ]", "e2e"),
    ],
)
def test_a_layer_that_fails_is_named_and_the_others_run_too(
    checkout: Path, script: str, fails: str, layer: str
) -> None:
    _script(checkout, script, fails)
    done = _run(checkout)
    assert done.returncode == 1
    assert _results(done.stdout) == {name: "FAILED" if name == layer else "passed" for name in LAYERS}


def test_an_interrupt_ends_all_layers(checkout: Path) -> None:
    _script(
        checkout,
        "run-tests",
        "trap 'exit 2' INT; touch $1-began; while :; do sleep 0.05; done",
    )
    # Whoever runs the tests in the background may have had the signal ignored, and no shell below could hear it.
    command = ["env", "--default-signal=INT", str(checkout / "hack" / "test")]
    with subprocess.Popen(command, start_new_session=True, cwd=checkout) as started:
        try:
            until((checkout / "unit-began").exists, 20, "the unit tests")
            os.killpg(started.pid, signal.SIGINT)
            assert started.wait(20) == 130
        finally:
            started.kill()
    assert not (checkout / "charts-began").exists()
