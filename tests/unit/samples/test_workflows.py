"""The workflows call scripts that are there, with versions that are made, and the scripts run as they stand."""

import os
import re
import shlex
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from bringup.paths import REPOSITORY
from tests.support.example import EXAMPLE, own_repository

WORKFLOWS = {
    EXAMPLE: EXAMPLE / ".github" / "workflows" / "modelyard.yaml",
    REPOSITORY: REPOSITORY / ".ci" / "workflow.yaml",
}
SCRIPTS = sorted((EXAMPLE / "ci").glob("*.sh"))
SETTINGS = EXAMPLE / "ci" / "settings.sh"
OWN_FOLDERS = ("ci/", ".ci/", "hack/")


def jobs(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOWS[root].read_text())["jobs"]
    return found


def commands(root: Path) -> list[str]:
    """What the steps of a workflow run."""
    return [step["run"] for job in jobs(root).values() for step in job["steps"] if "run" in step]


def called(root: Path) -> set[str]:
    """The repository's own programs among them."""
    words = chain.from_iterable(shlex.split(command) for command in commands(root))
    return {word for word in words if word.startswith(OWN_FOLDERS)}


@pytest.mark.parametrize("root", WORKFLOWS, ids=lambda root: root.name)
def test_every_script_that_a_workflow_calls_is_there_and_may_run(root: Path) -> None:
    assert called(root)
    for name in called(root):
        assert os.access(root / name, os.X_OK), name


def test_the_example_s_workflow_calls_every_script() -> None:
    assert called(EXAMPLE) == {f"ci/{script.name}" for script in SCRIPTS if script != SETTINGS}


def test_every_make_target_of_the_project_s_workflow_is_in_the_makefile() -> None:
    wanted = {command.split()[1] for command in commands(REPOSITORY) if command.startswith("make ")}
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert wanted
    assert wanted <= targets


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_script_is_well_formed_and_stops_at_its_first_fault(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "set -euo pipefail" in text or '. "$(dirname "$0")/settings.sh"' in text


def test_jobs_need_jobs_that_are_there_and_have_a_limit() -> None:
    for root in WORKFLOWS:
        for job in jobs(root).values():
            assert job.get("needs", next(iter(jobs(root)))) in jobs(root)
            assert job["timeout-minutes"]


def test_models_are_tried_with_the_library_that_they_are_trained_with_and_another_release_of_it() -> None:
    pins = (REPOSITORY / "images" / "trainer" / "requirements.txt").read_text()
    pinned = re.search(r"^scikit-learn==(\S+)", pins, re.MULTILINE)
    matrix = jobs(EXAMPLE)["elsewhere"]["strategy"]["matrix"]
    assert pinned
    assert len(matrix["scikit-learn"]) == 2
    assert pinned[1] in matrix["scikit-learn"]
    assert {version.rpartition(".")[0] for version in matrix["scikit-learn"]} == {
        pinned[1].rpartition(".")[0]
    }


def test_names_in_the_settings_are_those_of_the_resources() -> None:
    given = dict(re.findall(r'^: "\$\{(\w+):=([^}]*)\}"', SETTINGS.read_text(), re.MULTILINE))
    data, model, promotion = (
        yaml.safe_load((EXAMPLE / "modelyard" / f"{name}.yaml").read_text())
        for name in ("data", "model", "promotion")
    )
    assert given["DATASET"] == data["metadata"]["name"] == model["spec"]["datasetRef"]["name"]
    assert given["MODEL"] == model["spec"]["register"]["modelName"] == promotion["spec"]["modelName"]
    assert given["PROMOTION"] == promotion["metadata"]["name"]


def test_the_example_s_resources_and_rules_are_valid_by_its_own_script(tmp_path: Path) -> None:
    done = own_repository(tmp_path).step("validate.sh")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 valid"), done.stderr + done.stdout


def test_a_rule_that_nothing_can_keep_fails_the_step(tmp_path: Path) -> None:
    repository = own_repository(tmp_path)
    repository.edit("modelyard/data.yaml", 'min: "0", max: "20"', 'min: "20", max: "0"')
    done = repository.step("validate.sh")
    assert done.returncode == 1
    assert "dataset/houses invalid" in done.stdout
    assert "spec.validation[2]" in done.stdout
