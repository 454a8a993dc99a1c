"""Failures: each gets its class, its words and the right number of attempts, whoever noticed it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.labels import child_name
from tests.integration.operator.conftest import Project
from tests.support.kubeapi import DATASET, JOB, POD, TRAINING_JOB, Document, Kind
from tests.support.operating import condition
from tests.support.resources import dataset, failed, loaded, trained, training_job
from tests.support.waiting import until

QUOTA = Kind("api/v1", "resourcequotas")
_WORK = {"restartPolicy": "Never", "containers": [{"name": "one", "image": "one"}]}
ONE_POD: Document = {"apiVersion": "v1", "kind": "Pod", "spec": _WORK}
ONE_JOB: Document = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": _WORK}}}


def test_a_failure_of_the_data_is_final_and_says_field_value_and_remedy(project: Project) -> None:
    job = _started(project)
    text = failed(FailureClass.DATA, "spec.target: the data have no column MedHouse", "Use MedHouseVal")
    project.kubelet.fail(job, 11, text)
    done = project.training("forest", "Data")
    summary = condition(done, "Succeeded")
    assert summary["status"] == "False"
    assert summary["message"] == (
        "spec.target: the data have no column MedHouse. Use MedHouseVal (exit code 11)"
    )
    assert condition(done, "Stalled")["status"] == "True"
    assert len(project.jobs("training-job", "forest")) == 1


def test_a_platform_failure_is_tried_again_and_then_ends_well(project: Project) -> None:
    job = _started(project)
    project.kubelet.fail(job, 20, failed(FailureClass.PLATFORM, "S3 does not answer"))
    second = project.job("training-job", "forest", attempt=2)
    project.kubelet.succeed(second, trained())
    done = project.training("forest", "Completed")
    assert done["status"]["attempt"] == 2
    assert done["status"]["jobName"] == second


def test_attempts_end_at_the_backoff_limit(project: Project) -> None:
    job = _started(project, backoffLimit=1)
    project.kubelet.fail(job, 20, failed(FailureClass.PLATFORM, "S3 does not answer"))
    second = project.job("training-job", "forest", attempt=2)
    project.kubelet.fail(second, 20, failed(FailureClass.PLATFORM, "S3 does not answer"))
    done = project.training("forest", "Platform")
    assert condition(done, "Succeeded")["status"] == "False"
    assert len(project.jobs("training-job", "forest")) == 2


def test_a_pod_past_its_memory_limit_is_followed_once_by_one_with_more(project: Project) -> None:
    limits = {"requests": {"memory": "1Gi"}, "limits": {"memory": "3Gi"}}
    job = _started(project, backoffLimit=0, resources=limits)
    project.kubelet.fail(job, 137, reason="OOMKilled")
    second = project.job("training-job", "forest", attempt=2)
    (container,) = project.jobs("training-job", "forest")[1]["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"memory": "3Gi"}, "limits": {"memory": "6Gi"}}
    seen = until(lambda: in_attempt(project, 2), 30, "the second attempt in the status")
    assert seen["status"]["memoryLimit"] == "6Gi"
    said = "Attempt 2 has its Job, with 6Gi of memory since one ran out of it"
    assert condition(seen, "Succeeded")["message"] == said
    project.kubelet.fail(second, 137, reason="OOMKilled")
    done = project.training("forest", "OutOfMemory")
    message = condition(done, "Succeeded")["message"]
    assert "memory limit of 6Gi. That was raised to 6Gi already" in message
    assert len(project.jobs("training-job", "forest")) == 2


def in_attempt(project: Project, number: int) -> Document | None:
    seen = project.api.read(TRAINING_JOB, project.namespace, "forest")
    return seen if seen and seen["status"]["attempt"] == number else None


def test_a_memory_limit_at_the_highest_is_not_raised(project: Project) -> None:
    job = _started(project, resources={"limits": {"memory": "8Gi"}})
    project.kubelet.fail(job, 137, reason="OOMKilled")
    done = project.training("forest", "OutOfMemory")
    assert "Raise spec.resources.limits.memory" in condition(done, "Succeeded")["message"]


def test_a_pod_that_is_deleted_is_replaced_even_where_no_failure_is_allowed(project: Project) -> None:
    job = _started(project, backoffLimit=0)
    project.kubelet.run(job)
    project.training("forest", "Training")
    pod = project.kubelet.pod_of(job)["metadata"]["name"]
    project.api.delete(POD, project.namespace, pod)
    project.kubelet.fail(job, 143)
    second = project.job("training-job", "forest", attempt=2)
    project.kubelet.succeed(second, trained())
    project.training("forest", "Completed")


def test_an_image_that_cannot_be_pulled_is_told_and_waited_for(project: Project) -> None:
    job = _started(project)
    project.kubelet.wait(job, "ImagePullBackOff", "no such host")
    seen = project.training("forest", "Image")
    assert condition(seen, "Succeeded")["status"] == "Unknown"
    assert "ImagePullBackOff: no such host" in condition(seen, "Succeeded")["message"]
    project.kubelet.run(job)
    project.training("forest", "Training")


def test_a_node_selector_that_no_node_matches_is_told_and_waited_for(project: Project) -> None:
    project.load_houses()
    project.apply(training_job("forest", project.namespace, nodeSelector={"disk": "golden"}))
    job = project.job("training-job", "forest")
    project.kubelet.leave(
        job, "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    )
    seen = condition(project.training("forest", "Unschedulable"), "Succeeded")
    assert seen["status"] == "Unknown"
    assert "didn't match Pod's node affinity/selector" in seen["message"]
    assert "spec.nodeSelector" in seen["message"]
    project.kubelet.run(job)
    project.training("forest", "Training")
    assert len(project.jobs("training-job", "forest")) == 1


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"pipeline": {"estimator": {"class": "os.system"}}},
            ["spec.pipeline.estimator.class", "os.system", "catalog"],
        ),
        (
            {"pipeline": {"estimator": {"class": "RandomForestRegresor"}}},
            ["RandomForestRegresor", "Did you mean", "RandomForestRegressor"],
        ),
        (
            {"pipeline": {"estimator": {"class": "Ridge", "params": {"n_estimators": 5}}}},
            ["spec.pipeline.estimator.params.n_estimators", "5", "Ridge"],
        ),
        ({"evaluation": {"primary": "f1_macro"}}, ["spec.evaluation.primary", "f1_macro", "rmse"]),
    ],
)
def test_a_pipeline_that_cannot_be_built_ends_without_a_pod(
    project: Project, spec: dict[str, object], words: list[str]
) -> None:
    project.load_houses()
    project.apply(training_job("forest", project.namespace, **spec))
    done = project.training("forest", "InvalidSpec")
    message = condition(done, "Succeeded")["message"]
    assert all(word in message for word in words), message
    assert condition(done, "Succeeded")["status"] == "False"
    assert project.jobs("training-job", "forest") == []


def test_a_pinned_version_that_is_not_the_latest_is_looked_up_by_the_trainer(project: Project) -> None:
    project.load_houses()
    ref = {"name": "houses", "variant": "v1", "digest": "sha256:" + "9" * 64}
    project.apply(training_job("forest", project.namespace, datasetRef=ref))
    job = project.job("training-job", "forest")
    uid = (project.api.read(DATASET, project.namespace, "houses") or {})["metadata"]["uid"]
    (made,) = project.jobs("training-job", "forest")
    step = json.loads(made["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])["train"]
    assert "data" not in step
    assert step["datasetUid"] == uid
    message = "spec.datasetRef.digest: no version of v1 has it"
    project.kubelet.fail(job, 10, failed(FailureClass.INVALID_SPEC, message))
    done = project.training("forest", "InvalidSpec")
    assert message in condition(done, "Succeeded")["message"]


def test_a_job_of_somebody_else_under_our_name_is_a_conflict(project: Project) -> None:
    made = project.apply(training_job("forest", project.namespace))
    name = child_name("forest", made["metadata"]["uid"], 1)
    pod = {"restartPolicy": "Never", "containers": [{"name": "any", "image": "any"}]}
    foreign = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": project.namespace},
        "spec": {"suspend": True, "template": {"spec": pod}},
    }
    project.api.apply(JOB, foreign)
    project.load_houses()
    done = project.training("forest", "NameConflict")
    assert name in condition(done, "Succeeded")["message"]


def test_a_deadline_ends_the_work(project: Project) -> None:
    project.load_houses()
    project.apply(training_job("forest", project.namespace, activeDeadlineSeconds=1))
    done = project.training("forest", "Deadline")
    assert "spec.activeDeadlineSeconds" in condition(done, "Succeeded")["message"]


def test_an_end_stays_the_end_when_its_job_is_removed(project: Project) -> None:
    job = _started(project)
    project.kubelet.succeed(job, trained())
    project.training("forest", "Completed")
    project.api.delete(JOB, project.namespace, job)
    project.apply(training_job("other", project.namespace))
    project.job("training-job", "other")
    assert project.jobs("training-job", "forest") == []
    project.training("forest", "Completed")


def test_a_job_removed_while_at_work_is_made_again(project: Project) -> None:
    job = _started(project)
    before = project.jobs("training-job", "forest")[0]["metadata"]["uid"]
    project.api.delete(JOB, project.namespace, job, grace_seconds=0)

    def anew() -> bool:
        found = project.jobs("training-job", "forest")
        return [item["metadata"]["name"] for item in found] == [job] and found[0]["metadata"]["uid"] != before

    until(anew)


def test_a_finished_job_goes_after_its_time(project: Project) -> None:
    job = _started(project, ttlSecondsAfterFinished=1)
    project.kubelet.succeed(job, trained())
    until(lambda: project.api.read(TRAINING_JOB, project.namespace, "forest") is None)


def test_suspension_holds_work_back_stops_it_and_lets_it_go_on(project: Project) -> None:
    project.load_houses()
    project.apply(training_job("forest", project.namespace, suspend=True))
    held = project.training("forest", "Suspended")
    assert condition(held, "Suspended")["status"] == "True"
    assert project.jobs("training-job", "forest") == []
    project.apply(training_job("forest", project.namespace, suspend=False))
    job = project.job("training-job", "forest")
    project.kubelet.run(job)
    project.training("forest", "Training")
    project.apply(training_job("forest", project.namespace, suspend=True))
    project.training("forest", "Suspended")
    until(lambda: project.jobs("training-job", "forest")[0]["spec"]["suspend"])
    project.apply(training_job("forest", project.namespace, suspend=False))
    until(lambda: not project.jobs("training-job", "forest")[0]["spec"]["suspend"])
    assert condition(project.training("forest", "JobCreated"), "Suspended")["status"] == "False"


def test_a_pod_that_the_quota_does_not_allow_is_told_and_waited_for(project: Project) -> None:
    project.load_houses()
    with quota(project, POD, ONE_POD, "pods"):
        project.apply(training_job("forest", project.namespace))
        seen = project.training("forest", "Quota")
        assert "exceeded quota" in condition(seen, "Succeeded")["message"]
        assert condition(seen, "Succeeded")["status"] == "Unknown"
    project.kubelet.succeed(project.job("training-job", "forest"), trained())
    project.training("forest", "Completed")


def test_a_job_that_the_quota_does_not_allow_is_told(project: Project) -> None:
    with quota(project, JOB, ONE_JOB, "count/jobs.batch"):
        project.apply(dataset("houses", project.namespace))
        seen = project.await_reason(DATASET, "houses", "Ready", "Quota")
        assert "exceeded quota" in condition(seen, "Ready")["message"]


@contextmanager
def quota(project: Project, kind: Kind, refused: Document, counted: str) -> Iterator[None]:
    """None of a kind allowed, as soon as the API server knows; the controller that would fill the status does not run here."""
    meta = {"name": "limit", "namespace": project.namespace}
    none = {"hard": {counted: "0"}}
    project.api.apply(QUOTA, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": none})
    try:
        status = {"status": {**none, "used": {counted: "0"}}}
        answer = project.api.merge(QUOTA, project.namespace, "limit/status", status)
        assert answer.is_success, answer.text
        one = {**refused, "metadata": {"name": "one", "namespace": project.namespace}}
        until(
            lambda: "exceeded quota" in project.api.attempt(kind, one, dry_run=True).text,
            30,
            "the quota being in force",
        )
        yield
    finally:
        project.api.delete(QUOTA, project.namespace, "limit")


def test_a_dataset_that_failed_is_tried_again_once_it_is_edited(project: Project) -> None:
    bad = [{"name": "v1", "transforms": [{"filter": {"where": "nope > 1"}}]}]
    project.apply(dataset("houses", project.namespace, variants=bad))
    text = failed(FailureClass.INVALID_SPEC, "variants v1: there is no column nope", "Use MedInc")
    first = project.job("dataset", "houses")
    project.kubelet.fail(first, 10, text)
    failure = project.await_reason(DATASET, "houses", "Ready", "InvalidSpec")
    assert "no column nope" in condition(failure, "Ready")["message"]
    assert condition(failure, "Stalled")["status"] == "True"
    assert len(project.jobs("dataset", "houses")) == 1
    project.apply(dataset("houses", project.namespace, variants=[{"name": "v1"}]))
    project.await_reason(DATASET, "houses", "Ready", "Loading")
    (second,) = {job["metadata"]["name"] for job in project.jobs("dataset", "houses")} - {first}
    project.kubelet.succeed(second, loaded("v1"))
    done = project.await_reason(DATASET, "houses", "Ready", "Published")
    assert condition(done, "Stalled")["status"] == "False"


def _started(project: Project, **spec: object) -> str:
    project.load_houses()
    project.apply(training_job("forest", project.namespace, **spec))
    return project.job("training-job", "forest")
