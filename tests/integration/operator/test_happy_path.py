"""A Dataset and a TrainingJob from the first apply to their end."""

from tests.integration.operator.conftest import Project
from tests.support.kubeapi import DATASET, EVENT, TRAINING_JOB
from tests.support.operating import condition
from tests.support.resources import dataset, loaded, trained, training_job
from tests.support.waiting import until


def test_a_dataset_is_loaded_once_and_tells_rows_and_variants(project: Project) -> None:
    project.apply(dataset("houses", project.namespace))
    project.kubelet.succeed(project.job("dataset", "houses"), loaded("v1", "v2", rows=20640))
    done = project.await_reason(DATASET, "houses", "Ready", "Published")
    assert done["status"]["summary"] == "v1 20640×9, v2 20640×9"  # noqa: RUF001  as it is shown
    assert done["status"]["load"]["rows"] == 20640
    assert done["status"]["observedGeneration"] == 1
    assert condition(done, "Loaded")["status"] == "True"
    uri = done["status"]["variants"][1]["uri"]
    assert uri == f"s3://modelyard/{project.namespace}/datasets/houses/manifests/v2/{'ab' * 32}.json"
    assert len(project.jobs("dataset", "houses")) == 1


def test_a_training_job_waits_for_its_dataset_and_then_goes_on(project: Project) -> None:
    project.apply(training_job("forest", project.namespace))
    waiting = project.training("forest", "WaitingForDataset")
    assert "the Dataset houses is not there" in condition(waiting, "Succeeded")["message"]
    project.load_houses()
    job = project.job("training-job", "forest")
    project.training("forest", "JobCreated")
    project.kubelet.run(job)
    assert condition(project.training("forest", "Training"), "Running")["status"] == "True"
    project.kubelet.succeed(job, trained("7", rmse=0.41634, r2=0.81))
    done = project.training("forest", "Completed")
    status = done["status"]
    assert condition(done, "Succeeded")["status"] == "True"
    assert condition(done, "Running")["status"] == "False"
    assert status["summary"] == "rmse=0.4163"
    assert status["model"] == {"name": "housing", "version": "7", "digest": "sha256:" + "3" * 64}
    assert status["metrics"][0] == {"name": "rmse", "value": "0.41634"}
    assert status["datasetVersion"]["digest"] == f"sha256:{1:064x}"
    assert len(project.jobs("training-job", "forest")) == 1


def test_each_change_of_state_is_one_event(project: Project) -> None:
    project.load_houses()
    project.apply(training_job("forest", project.namespace))
    job = project.job("training-job", "forest")
    project.kubelet.run(job)
    project.training("forest", "Training")
    project.kubelet.succeed(job, trained())
    uid = project.training("forest", "Completed")["metadata"]["uid"]

    def reasons() -> list[str]:
        events = project.api.items(EVENT, project.namespace)
        told = sorted(event["reason"] for event in events if event["involvedObject"]["uid"] == uid)
        assert told == ["Completed", "JobCreated", "Training"]
        return told

    until(reasons)


def test_an_edit_of_the_variants_is_loaded_while_the_earlier_versions_stay(project: Project) -> None:
    project.load_houses()
    first = project.job("dataset", "houses")
    project.apply(dataset("houses", project.namespace, variants=[{"name": "v1"}, {"name": "v9"}]))
    loading = project.await_reason(DATASET, "houses", "Ready", "Loading")
    assert [variant["name"] for variant in loading["status"]["variants"]] == ["v1", "v2"]
    jobs = {job["metadata"]["name"] for job in project.jobs("dataset", "houses")}
    (second,) = jobs - {first}
    project.kubelet.succeed(second, loaded("v1", "v9"))
    done = project.await_reason(DATASET, "houses", "Ready", "Published")
    assert [variant["name"] for variant in done["status"]["variants"]] == ["v1", "v9"]
    assert done["status"]["observedGeneration"] == 2


def test_a_job_without_its_variant_waits_until_the_dataset_has_it(project: Project) -> None:
    project.load_houses()
    project.apply(training_job("forest", project.namespace, datasetRef={"name": "houses", "variant": "v9"}))
    waiting = project.training("forest", "WaitingForDataset")
    assert "has no variant v9, it has v1, v2" in condition(waiting, "Succeeded")["message"]
    assert project.api.read(TRAINING_JOB, project.namespace, "forest") is not None
