"""Samples of own code: run as it stands on rows as the trainer hands them over, and judged as the trainer does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa
import pytest
import yaml

from bringup.context import Context
from bringup.own_code import own_code_folders, own_code_name
from bringup.paths import REPOSITORY, Paths
from modelyard_trainer.own.judge import judge_model
from modelyard_trainer.own.places import Places, read_made
from modelyard_trainer.own.record import read_reported, unjudged_metrics
from tests.support.own_code import handed_over, places_in, step_of

FOLDER = REPOSITORY / "manifests" / "samples" / "containers"
ASKED = {"task": "Regression", "target": "price", "evaluation": {"primary": "rmse"}}


def houses(rows: int = 200) -> pa.Table:
    rng = np.random.default_rng(1)
    size = rng.uniform(20, 200, rows)
    age = rng.integers(0, 90, rows)
    return pa.table({"row": range(rows), "size": size, "age": age, "price": size * 3 - age})


def ran(places: Places, **variables: str) -> None:
    environment = {
        **os.environ,
        "MODELYARD_INPUT": str(places.input),
        "MODELYARD_OUTPUT": str(places.output),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, FOLDER / "plain" / "train.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_code_of_the_plain_sample_leaves_a_model_that_can_be_served(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    step = step_of(**ASKED)
    handed_over(houses(), step, places)
    ran(places)
    reported = read_reported(read_made(places.output))
    assert reported.parameters == {"max_leaf_nodes": "31"}
    assert unjudged_metrics(step.spec, reported)["rmse"] > 0
    assert judge_model(places).not_servable == ""


def test_a_variable_of_the_spec_reaches_the_code(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    handed_over(houses(), step_of(**ASKED), places)
    ran(places, LEAVES="7")
    assert json.loads((places.output / "params.json").read_text()) == {"max_leaf_nodes": 7}


@pytest.mark.parametrize("name", ["plain", "autolog"])
def test_a_sample_has_the_libraries_of_the_trainer_that_loads_its_model(name: str) -> None:
    locked = (REPOSITORY / "images" / "trainer" / "requirements.txt").read_text().splitlines()
    pinned = {line.removesuffix(" \\") for line in locked if "==" in line}
    wanted = [
        line
        for line in (FOLDER / name / "requirements.txt").read_text().splitlines()
        if line.startswith(("numpy", "scikit-learn", "skops", "pyarrow"))
    ]
    assert len(wanted) == 5
    assert set(wanted) <= pinned


def test_the_sample_jobs_name_the_images_that_are_built_for_the_cluster_and_their_commands() -> None:
    context = SimpleNamespace(paths=Paths.here())
    built = {own_code_name(folder): folder for folder in own_code_folders(cast("Context", context))}
    jobs = yaml.safe_load_all((FOLDER / "california-own-code.yaml").read_text())
    containers = [job["spec"]["container"] for job in jobs]
    assert {container["image"] for container in containers} == set(built)
    for container in containers:
        entrypoint = (built[container["image"]] / "Dockerfile").read_text().partition("ENTRYPOINT ")[2]
        assert container["command"] == json.loads(entrypoint)
