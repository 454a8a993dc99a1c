"""``hack/test`` runs all layers, short ones beside those of the cluster, and says of each how it went."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from bringup.paths import REPOSITORY
from tests.support.waiting import until

LAYERS = ("static", "unit", "charts", "integration", "e2e")
_UNTIL_CHARTS = '[ $1 != e2e ] || { while [ ! -e charts-ended ]; do sleep 0.05; done; echo "its last line"; }'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script, and in place of what it runs scripts that say what they are asked."""
    (tmp_path / "hack").mkdir()
    shutil.copy(REPOSITORY / "hack" / "test", tmp_path / "hack" / "test")
    _script(tmp_path, "check-static", "echo lint")
    _script(tmp_path, "verify", "echo generated")
    _script(
        tmp_path, "run-tests", f'echo "layer $1"; {_UNTIL_CHARTS}; [ $1 != charts ] || touch charts-ended'
    )
    return tmp_path


def _script(checkout: Path, name: str, line: str) -> None:
    file = checkout / "hack" / name
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


def _run(checkout: Path, *layers: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "hack" / "test"), *layers]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _results(said: str) -> dict[str, str]:
    return dict(re.findall(r"^(\S+) +(passed|FAILED) +\d+:\d\d$", said, re.MULTILINE))


def test_what_is_short_runs_beside_the_tests_on_the_cluster_and_the_rest_follows(checkout: Path) -> None:
    done = _run(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    short = ["lint", "generated", "layer unit", "layer charts"]
    assert done.stdout.splitlines()[:7] == [*short, "layer e2e", "its last line", "layer integration"]
    assert _results(done.stdout) == dict.fromkeys(LAYERS, "passed")


def test_only_layers_that_are_named_run_and_in_this_order(checkout: Path) -> None:
    done = _run(checkout, "charts", "unit")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["layer charts", "layer unit"]
    assert list(_results(done.stdout)) == ["charts", "unit"]


@pytest.mark.parametrize(
    ("script", "fails", "layer"),
    [
        ("check-static", "exit 1", "static"),
        ("verify", "exit 1", "static"),
        ("run-tests", "[ $1 != unit ]", "unit"),
        ("run-tests", "[ $1 != charts ]", "charts"),
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


def test_an_interrupt_reaches_both_lanes_and_nothing_begins_after_it(checkout: Path) -> None:
    ends = "trap 'touch $1-interrupted; exit 2' INT; touch $1-began; while :; do sleep 0.05; done"
    _script(checkout, "run-tests", ends)
    # Whoever runs the tests in the background may have had the signal ignored, and no shell below could hear it.
    command = ["env", "--default-signal=INT", str(checkout / "hack" / "test")]
    with subprocess.Popen(command, start_new_session=True, cwd=checkout) as started:
        try:
            until(
                lambda: (checkout / "unit-began").exists() and (checkout / "e2e-began").exists(),
                60,
                "both lanes",
            )
            os.kill(started.pid, signal.SIGINT)
            assert started.wait(60) == 130
        finally:
            started.kill()
    assert (checkout / "unit-interrupted").exists()
    assert (checkout / "e2e-interrupted").exists()
    assert not (checkout / "charts-began").exists()
    assert not (checkout / "integration-began").exists()
