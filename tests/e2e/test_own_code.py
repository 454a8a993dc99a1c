"""Own code on a real cluster: the trainer's image, which has all it takes, stands for an image of the user's."""

import pytest

from modelyard_api.conditions import find_condition
from modelyard_api.labels import TRAINING_JOB as TRAINING_JOB_LABEL
from tests.support.kubeapi import DATASET, PROMOTION, TRAINING_JOB, Document
from tests.support.manifests import PROJECT, Project, dataset, promotion, training_job
from tests.support.platform import Platform, pods_of
from tests.support.resources import replay

# With its fixtures, on a machine that does other things too.
pytestmark = pytest.mark.timeout(900)

PYTHON = "/opt/venv/bin/python"
TRAIN = """
import json, os
from pathlib import Path
import numpy as np, pyarrow.parquet as pq, skops.io
from sklearn.linear_model import LogisticRegression

read, write = Path(os.environ["MODELYARD_INPUT"]), Path(os.environ["MODELYARD_OUTPUT"])
job = json.loads((read / "job.json").read_text())
names = [feature["name"] for feature in job["features"]]
table = pq.read_table(read / job["train"])
X = np.column_stack([table.column(name).to_numpy() for name in names])
y = np.array(table.column(job["target"]["name"]).to_pylist(), dtype=np.str_)
(write / "model").mkdir()
skops.io.dump(LogisticRegression(max_iter=1000).fit(X, y), write / "model" / "model.skops")
(write / "model" / "signature.json").write_text(json.dumps({"inputs": names}))
(write / "params.json").write_text(json.dumps({"max_iter": 1000}))
"""
SPY = """
import os, sys
from pathlib import Path

seen = [path for path in ("/var/run/modelyard/credentials", "/var/run/secrets", "/modelyard/judged") if os.path.exists(path)]
try:
    (Path(os.environ["MODELYARD_INPUT"]) / "train.parquet").write_text("")
    seen.append("the input is not read-only")
except OSError:
    pass
print(f"uid {os.getuid()}, seen: {seen}", file=sys.stderr)
sys.exit(3)
"""
GREEDY = """
held = []
while True:
    held.append(bytearray(b"x") * (64 << 20))
"""


@pytest.fixture(scope="module")
def project(platform: Platform) -> Project:
    project = Project(platform.api, PROJECT)
    project.apply(dataset("iris"))
    project.await_true(DATASET, "iris", "Ready")
    return project


@pytest.fixture(scope="module")
def image(platform: Platform, project: Project) -> str:
    project.apply(training_job("own-code-image"))
    project.await_true(TRAINING_JOB, "own-code-image", "Succeeded")
    pod = pods_of(platform.api, PROJECT, TRAINING_JOB_LABEL, "own-code-image")[0]
    return str(pod["spec"]["containers"][0]["image"])


def own_code(name: str, image: str, program: str) -> Document:
    container = {"image": image, "command": [PYTHON, "-c", program]}
    document = training_job(name, container=container)
    del document["spec"]["pipeline"]
    return document


def test_a_model_of_own_code_is_tracked_registered_and_served(
    platform: Platform, project: Project, image: str
) -> None:
    uid = project.apply(own_code("own", image, TRAIN))["metadata"]["uid"]
    project.await_true(TRAINING_JOB, "own", "Succeeded")
    status = project.training_job("own").status
    assert status.not_servable is None
    assert status.compiled is not None
    assert status.compiled.used
    assert status.usage is not None
    assert status.usage.suggested_requests is not None
    assert float(status.usage.cpu_seconds) > 0
    assert status.usage.peak_memory_bytes > 50 * 2**20
    with platform.tracking(PROJECT) as tracking:
        assert [run["info"]["status"] for run in tracking.runs_of(uid)] == ["FINISHED"]
        assert len(tracking.versions_of(uid)) == 1
    project.apply(promotion("own", "own"))
    project.await_true(PROMOTION, "own", "Ready")


def test_a_run_of_own_code_is_made_again_and_nothing_differs(project: Project, image: str) -> None:
    project.apply(own_code("own", image, TRAIN))
    project.await_true(TRAINING_JOB, "own", "Succeeded")
    run = project.training_job("own").status.run
    assert run is not None
    project.apply(replay("own-again", project.name, run.id))
    project.await_true(TRAINING_JOB, "own-again", "Succeeded")
    reproduced = find_condition(project.training_job("own-again").status.conditions, "Reproduced")
    assert reproduced is not None
    assert (reproduced.status, reproduced.reason) == ("True", "SameResult"), reproduced.message


def test_own_code_that_takes_too_much_memory_gets_more_once(project: Project, image: str) -> None:
    document = own_code("own-greedy", image, GREEDY)
    memory = {"memory": "768Mi"}
    document["spec"]["resources"] = {"requests": memory, "limits": memory}
    project.apply(document)
    condition = project.await_reason(TRAINING_JOB, "own-greedy", "Succeeded", "OutOfMemory")
    status = project.training_job("own-greedy").status
    assert (status.attempt, status.memory_limit) == (2, "1536Mi"), condition.message


def test_own_code_sees_no_credentials_and_what_it_says_last_is_told(project: Project, image: str) -> None:
    project.apply(own_code("own-spy", image, SPY))
    condition = project.await_reason(TRAINING_JOB, "own-spy", "Succeeded", "Code")
    assert "(exit code 3)" in condition.message
    assert "uid 65532, seen: []" in condition.message
