"""Own code in a real API server: its Job is taken under Pod Security, its failures are told, its answer is the last container's."""

from typing import Any

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Outcome, parse_outcome
from tests.integration.operator.conftest import Project
from tests.support.operating import condition
from tests.support.resources import failed, trained, training_job

IMAGE = "registry/own@sha256:" + "1" * 64


def started(project: Project, image: str = IMAGE, **spec: Any) -> str:  # noqa: ANN401  JSON
    project.load_houses()
    document = training_job("forest", project.namespace, container={"image": image}, **spec)
    del document["spec"]["pipeline"]
    project.apply(document)
    return project.job("training-job", "forest")


def test_own_code_runs_between_containers_of_ours(project: Project) -> None:
    job = started(project, environment=[{"name": "TOKEN", "secret": {"name": "hub", "key": "token"}}])
    (made,) = project.jobs("training-job", "forest")
    spec = made["spec"]["template"]["spec"]
    assert [container["name"] for container in spec["initContainers"]] == ["prepare", "own", "judge"]
    own = spec["initContainers"][1]
    assert own["image"] == IMAGE
    assert {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}} in own["env"]
    assert "credentials" not in {mount["name"] for mount in own["volumeMounts"]}
    project.kubelet.run_before(job, "own")
    project.training("forest", "Training")
    project.kubelet.succeed(job, trained())
    done = project.training("forest", "Completed")
    assert done["status"]["model"]["version"] == "1"


def test_own_code_that_fails_ends_the_job_with_its_last_lines(project: Project) -> None:
    job = started(project)
    project.kubelet.fail_before(job, "own", 3, "Traceback\nValueError: no rows")
    done = project.training("forest", "Code")
    assert condition(done, "Succeeded")["message"] == (
        "The container of spec.container failed: Error. "
        "Correct its code or its image, and make a new TrainingJob (exit code 3)\n"
        "Last lines:\nTraceback\nValueError: no rows"
    )
    assert len(project.jobs("training-job", "forest")) == 1


def test_a_command_is_started_by_the_program_that_measures_it(project: Project) -> None:
    project.load_houses()
    document = training_job(
        "forest", project.namespace, container={"image": IMAGE, "command": ["python"], "args": ["train.py"]}
    )
    del document["spec"]["pipeline"]
    project.apply(document)
    job = project.job("training-job", "forest")
    (made,) = project.jobs("training-job", "forest")
    own = made["spec"]["template"]["spec"]["initContainers"][1]
    assert own["command"] == [
        "/modelyard/meter/meter",
        "/modelyard/meter/own.json",
        "/sys/fs/cgroup",
        "python",
    ]
    assert own["args"] == ["train.py"]
    project.kubelet.succeed(job, trained())
    used = project.training("forest", "Completed")["status"]["usage"]
    assert {"cpuSeconds", "peakMemoryBytes", "suggestedRequests"} == set(used)


def test_own_code_that_ran_out_of_memory_gets_more_once(project: Project) -> None:
    resources = {"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}}
    job = started(project, resources=resources)
    project.kubelet.fail_before(job, "own", 137, "Traceback", reason="OOMKilled")
    second = project.job("training-job", "forest", attempt=2)
    made = project.jobs("training-job", "forest")[1]["spec"]["template"]["spec"]
    limits = [
        each["resources"]["limits"]["memory"] for each in (*made["initContainers"], *made["containers"])
    ]
    assert limits == ["1Gi"] * 4
    project.kubelet.fail_before(second, "own", 137, "Traceback", reason="OOMKilled")
    done = project.training("forest", "OutOfMemory")
    assert "raised to 1Gi already" in condition(done, "Succeeded")["message"]
    assert len(project.jobs("training-job", "forest")) == 2


def test_rows_that_cannot_be_read_are_read_again(project: Project) -> None:
    job = started(project)
    project.kubelet.fail_before(job, "prepare", 20, failed(FailureClass.PLATFORM, "S3 does not answer"))
    second = project.job("training-job", "forest", attempt=2)
    project.kubelet.succeed(second, trained())
    assert project.training("forest", "Completed")["status"]["attempt"] == 2


def test_a_model_that_nobody_can_serve_says_so_in_status_and_condition(project: Project) -> None:
    job = started(project)
    answer = parse_outcome(trained())
    assert answer is not None
    assert answer.train is not None
    update = {"bundle_uri": "", "not_servable": "the model's directory holds no model.skops"}
    told = Outcome(train=answer.train.model_copy(update=update)).to_json().decode()
    project.kubelet.succeed(job, told)
    done = project.training("forest", "Completed")
    assert done["status"]["notServable"] == "the model's directory holds no model.skops"
    assert "No server can answer with it" in condition(done, "Succeeded")["message"]


def test_a_tag_that_may_move_is_warned_about(project: Project) -> None:
    started(project, "registry/own:latest")
    seen = project.training("forest", "JobCreated")
    cached = condition(seen, "Cached")
    assert (cached["status"], cached["reason"]) == ("False", "UnpinnedInput")
    assert "registry/own:latest is named by a tag that may come to mean another image" in cached["message"]
