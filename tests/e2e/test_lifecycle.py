"""What happens to resources after they were made: stopped, resumed, edited, replaced, ended and removed."""

import pytest

from modelyard_api.labels import DATASET as DATASET_LABEL
from modelyard_api.labels import TRAINING_JOB as TRAINING_JOB_LABEL
from tests.support.asking import asking
from tests.support.kubeapi import DATASET, PROMOTION, SERVICE, TRAINING_JOB
from tests.support.manifests import PROJECT, Project, dataset, promotion, slow_pipeline, training_job
from tests.support.platform import Platform, jobs_of, pods_of
from tests.support.waiting import until

# With its fixtures, on a machine that does other things too.
pytestmark = pytest.mark.timeout(900)

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def project(platform: Platform) -> Project:
    project = Project(platform.api, PROJECT)
    project.apply(dataset("iris"))
    project.await_true(DATASET, "iris", "Ready")
    return project


def test_a_training_job_with_a_time_to_live_goes_and_leaves_its_model(
    platform: Platform, project: Project
) -> None:
    uid = project.apply(training_job("short-lived", ttlSecondsAfterFinished=1))["metadata"]["uid"]
    until(lambda: platform.api.read(TRAINING_JOB, PROJECT, "short-lived") is None, 120, "its removal")
    with platform.tracking(PROJECT) as tracking:
        assert len(tracking.versions_of(uid)) == 1


def test_a_training_job_that_is_suspended_stops_and_goes_on_when_resumed(
    platform: Platform, project: Project
) -> None:
    name = "paused"
    project.apply(training_job(name, pipeline=slow_pipeline()))
    project.await_reason(TRAINING_JOB, name, "Succeeded", "Training")
    platform.api.merge(TRAINING_JOB, PROJECT, name, {"spec": {"suspend": True}})
    project.await_true(TRAINING_JOB, name, "Suspended")
    until(
        lambda: not pods_of(platform.api, PROJECT, TRAINING_JOB_LABEL, name), 90, "its pod being taken away"
    )
    platform.api.merge(TRAINING_JOB, PROJECT, name, {"spec": {"suspend": False}})
    project.await_true(TRAINING_JOB, name, "Succeeded")
    uid = project.training_job(name).metadata.uid
    with platform.tracking(PROJECT) as tracking:
        assert [run["info"]["status"] for run in tracking.runs_of(uid)] == ["FINISHED"]
        assert len(tracking.versions_of(uid)) == 1


def test_a_training_job_that_ended_is_still_known_as_ended_after_an_edit(
    platform: Platform, project: Project
) -> None:
    name = "ended"
    project.apply(training_job(name, cachePolicy="Refresh"))
    project.await_true(TRAINING_JOB, name, "Succeeded")
    platform.api.merge(TRAINING_JOB, PROJECT, name, {"spec": {"ttlSecondsAfterFinished": 86400}})
    project.await_true(TRAINING_JOB, name, "Succeeded", 30)


def test_the_same_training_job_again_is_answered_by_the_run_that_there_is(
    platform: Platform, project: Project
) -> None:
    project.apply(training_job("ended", cachePolicy="Refresh"))
    project.await_true(TRAINING_JOB, "ended", "Succeeded")
    project.apply(training_job("ended-again", register={"modelName": "ended"}, cachePolicy="Use"))
    project.await_true(TRAINING_JOB, "ended-again", "Succeeded", 30)
    first, second = (project.training_job(name).status for name in ("ended", "ended-again"))
    assert second.cache
    assert second.cache.hit
    assert (second.run, second.model, second.summary) == (first.run, first.model, first.summary)
    assert {item.name: item.value for item in second.metrics} == {
        item.name: item.value for item in first.metrics
    }
    assert jobs_of(platform.api, PROJECT, TRAINING_JOB_LABEL, "ended-again") == []


def test_a_dataset_that_is_edited_while_it_loads_ends_as_the_edit_says(
    platform: Platform, project: Project
) -> None:
    name = "edited"
    project.apply(dataset(name, "california-housing"))
    until(lambda: jobs_of(platform.api, PROJECT, DATASET_LABEL, name), 60, "its first Job")
    project.apply(dataset(name, "california-housing", variants=[{"name": "v1"}, {"name": "second"}]))
    project.await_true(DATASET, name, "Ready")
    assert [variant.name for variant in project.dataset(name).status.variants] == ["v1", "second"]


def test_a_pod_beyond_its_memory_limit_gets_more_once_and_is_reported_with_what_to_do(
    project: Project,
) -> None:
    name = "hungry"
    limits = {"requests": {"memory": "32Mi"}, "limits": {"memory": "48Mi"}}
    project.apply(training_job(name, resources=limits))
    condition = project.await_reason(TRAINING_JOB, name, "Succeeded", "OutOfMemory", 180)
    assert condition.status == "False"
    assert "That was raised to 96Mi already" in condition.message
    status = project.training_job(name).status
    assert (status.attempt, status.memory_limit) == (2, "96Mi")


def test_a_newer_version_takes_over_without_a_failed_request(platform: Platform, project: Project) -> None:
    project.apply(training_job("first-try", register={"modelName": "relay"}))
    project.await_true(TRAINING_JOB, "first-try", "Succeeded")
    project.apply(promotion("relay-production", "relay"))
    project.await_true(PROMOTION, "relay-production", "Ready")
    with platform.server(PROJECT, "relay-production") as client, asking(client, FLOWER) as statuses:
        project.apply(training_job("second-try", register={"modelName": "relay"}))
        project.await_true(TRAINING_JOB, "second-try", "Succeeded")
        model = project.training_job("second-try").status.model
        assert model
        until(lambda: champion(project, "relay-production") == model.version, 120, "the newer champion")
        answer = client.post("/predict", json={"rows": [FLOWER]})
    assert answer.json()["model_version"] == model.version
    assert len(statuses) > 50
    assert set(statuses) == {200}
    assert project.promotion("relay-production").status.previous
    project.await_true(PROMOTION, "relay-production", "Ready")


def champion(project: Project, name: str) -> str | None:
    found = project.promotion(name).status.champion
    return found.version if found else None


def test_a_service_that_is_deleted_by_hand_comes_back(platform: Platform, project: Project) -> None:
    before = platform.api.read(SERVICE, PROJECT, "relay-production")
    assert before
    platform.api.delete(SERVICE, PROJECT, "relay-production")

    def is_back() -> bool:
        now = platform.api.read(SERVICE, PROJECT, "relay-production")
        return now is not None and now["metadata"]["uid"] != before["metadata"]["uid"]

    until(is_back, 90, "another Service")
    project.await_true(PROMOTION, "relay-production", "Ready")
