"""A Dataset and a TrainingJob from the first apply to their end."""

from tests.integration.operator.conftest import Project
from tests.support.kubeapi import DATASET, TRAINING_JOB, Document
from tests.support.operating import condition, jobs_of
from tests.support.resources import dataset, loaded, trained, training_job
from tests.support.waiting import until


def test_a_dataset_is_loaded_once_and_tells_rows_and_variants(project: Project) -> None:
    project.api.apply(DATASET, dataset("houses", project.namespace))
    job = until(lambda: _job(project, "dataset", "houses"))
    project.kubelet.succeed(job, loaded("v1", "v2", rows=20640))
    done = until(lambda: _when(project.api.read(DATASET, project.namespace, "houses"), "Ready", "True"))
    assert done["status"]["summary"] == "v1 20640×9, v2 20640×9"  # noqa: RUF001  as it is shown
    assert done["status"]["load"]["rows"] == 20640
    assert done["status"]["observedGeneration"] == 1
    assert condition(done, "Loaded")["status"] == "True"
    uri = done["status"]["variants"][1]["uri"]
    assert uri == f"s3://modelyard/{project.namespace}/datasets/houses/manifests/v2/{'ab' * 32}.json"


def test_a_training_job_waits_for_its_dataset_and_then_goes_on(project: Project) -> None:
    project.api.apply(TRAINING_JOB, training_job("forest", project.namespace))
    waiting = until(lambda: _reason(project, "forest", "WaitingForDataset"))
    assert "the Dataset houses is not there" in condition(waiting, "Succeeded")["message"]
    project.api.apply(DATASET, dataset("houses", project.namespace))
    project.kubelet.succeed(until(lambda: _job(project, "dataset", "houses")), loaded())
    job = until(lambda: _job(project, "training-job", "forest"))
    until(lambda: _reason(project, "forest", "JobCreated"))
    project.kubelet.run(job)
    until(lambda: _when(project.api.read(TRAINING_JOB, project.namespace, "forest"), "Running", "True"))
    project.kubelet.succeed(job, trained("7", rmse=0.41634, r2=0.81))
    done = until(lambda: _reason(project, "forest", "Completed"))
    status = done["status"]
    assert condition(done, "Succeeded")["status"] == "True"
    assert condition(done, "Running")["status"] == "False"
    assert status["summary"] == "rmse=0.4163"
    assert status["model"] == {"name": "housing", "version": "7", "digest": "sha256:" + "3" * 64}
    assert status["metrics"][0] == {"name": "rmse", "value": "0.41634"}
    assert status["datasetVersion"]["digest"] == f"sha256:{1:064x}"
    assert len(jobs_of(project.api, project.namespace, "training-job", "forest")) == 1


def _job(project: Project, label: str, name: str) -> str | None:
    found = jobs_of(project.api, project.namespace, label, name)
    return str(found[-1]["metadata"]["name"]) if found else None


def _reason(project: Project, name: str, reason: str) -> Document | None:
    seen = project.api.read(TRAINING_JOB, project.namespace, name)
    return seen if condition(seen, "Succeeded").get("reason") == reason else None


def _when(seen: Document | None, type_: str, status: str) -> Document | None:
    return seen if condition(seen, type_).get("status") == status else None
