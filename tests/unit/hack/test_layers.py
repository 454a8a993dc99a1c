"""``hack/test`` runs all layers, those of the cluster beside the others, and says of each how it went."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from bringup.paths import REPOSITORY
from tests.support.waiting import until

LAYERS = ("e2e", "static checks", "unit", "charts", "integration")
_E2E = '{ while [ ! -e integration-ended ]; do sleep 0.05; done; echo "cluster, last line"; }'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script, and in place of what it runs scripts that say what they are asked."""
    (tmp_path / "hack").mkdir()
    shutil.copy(REPOSITORY / "hack" / "test", tmp_path / "hack" / "test")
    _script(tmp_path, "check-static", "echo lint")
    _script(tmp_path, "verify", "echo generated")
    waits = f'echo "layer $1"; [ $1 != e2e ] || {_E2E}'
    _script(tmp_path, "run-tests", f"{waits}; [ $1 != integration ] || touch integration-ended")
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


def test_tests_on_the_cluster_run_beside_the_others_and_are_shown_behind_them(checkout: Path) -> None:
    done = _run(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    said = ["lint", "generated", "layer unit", "layer charts", "layer integration"]
    assert done.stdout.splitlines()[:7] == [*said, "layer e2e", "cluster, last line"]
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


def test_an_interrupt_reaches_the_tests_on_the_cluster(checkout: Path) -> None:
    _script(
        checkout,
        "run-tests",
        "trap 'touch $1-interrupted; exit 2' INT; touch $1-began; while :; do sleep 0.05; done",
    )
    # Whoever runs the tests in the background may have had the signal ignored, and no shell below could hear it.
    command = ["env", "--default-signal=INT", checkout / "hack" / "test"]
    with subprocess.Popen(command, start_new_session=True, cwd=checkout) as started:
        try:
            until(
                lambda: (checkout / "unit-began").exists() and (checkout / "e2e-began").exists(),
                20,
                "both lanes",
            )
            os.killpg(started.pid, signal.SIGINT)
            assert started.wait(20) != 0
        finally:
            started.kill()
    until((checkout / "e2e-interrupted").exists, 20, "the end of the tests on the cluster")
