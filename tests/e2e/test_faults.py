"""Parts are taken away at the worst moments; the run ends as if nothing had happened, and nothing is there twice."""

from collections.abc import Callable, Iterator

import pytest

from modelyard_api.labels import DATASET as DATASET_LABEL
from modelyard_api.labels import TRAINING_JOB as TRAINING_JOB_LABEL
from tests.support.cluster import NodeMachine
from tests.support.kubeapi import DATASET, POD, PROMOTION, TRAINING_JOB, Document, KubeApi
from tests.support.manifests import PROJECT, Project, dataset, promotion, slow_pipeline, training_job
from tests.support.platform import Platform, jobs_of, pods_of
from tests.support.waiting import until

# With its fixtures, on a machine that does other things too.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def project(platform: Platform) -> Iterator[Project]:
    yield Project(platform.api, PROJECT)
    platform.await_operator()


@pytest.fixture
def iris(project: Project) -> Project:
    """The project with a Dataset that is ready."""
    project.apply(dataset("iris"))
    project.await_true(DATASET, "iris", "Ready")
    return project


def one_run_and_one_version(platform: Platform, project: Project, name: str) -> None:
    job = project.training_job(name)
    with platform.tracking(project.name) as tracking:
        assert [run["info"]["status"] for run in tracking.runs_of(job.metadata.uid)] == ["FINISHED"]
        versions = [version["version"] for version in tracking.versions_of(job.metadata.uid)]
    assert job.status.model
    assert versions == [job.status.model.version]
    assert job.status.run


def each_row_once(platform: Platform, project: Project, name: str, rows: int) -> None:
    table = name.replace("-", "_")
    with platform.postgres(project.name) as connection:
        found = connection.execute(f'SELECT count(*), count(DISTINCT "row") FROM "{table}"').fetchone()  # noqa: S608
        loads = connection.execute(
            "SELECT count(*), sum(accepted) FROM data_loads WHERE dataset_uid = %s",
            [project.dataset(name).metadata.uid],
        ).fetchone()
    assert found == (rows, rows)
    assert loads == (1, rows)


def running(api: KubeApi, project: Project, label: str, name: str) -> Document | None:
    """A pod of the resource whose container runs."""
    pods = pods_of(api, project.name, label, name)
    return next((pod for pod in pods if pod["status"].get("phase") == "Running"), None)


def test_an_operator_that_is_killed_in_each_phase_still_brings_the_chain_to_its_end(
    platform: Platform, project: Project
) -> None:
    api = platform.api
    data, job, stage = "chain-iris", "chain-tree", "chain-production"

    def kill_when(phase: str, seen: Callable[[], object]) -> None:
        until(seen, 120, phase)
        platform.kill_operator()

    project.apply(dataset(data))
    project.apply(training_job(job, data, pipeline=slow_pipeline()))
    project.apply(promotion(stage, job))
    kill_when("three resources seen", lambda: project.condition(PROMOTION, stage, "Ready"))
    kill_when("a loader Job made", lambda: jobs_of(api, project.name, DATASET_LABEL, data))
    kill_when("a Dataset loaded", lambda: _is_true(project, data))
    kill_when("a training Job made", lambda: jobs_of(api, project.name, TRAINING_JOB_LABEL, job))
    kill_when("a training pod running", lambda: running(api, project, TRAINING_JOB_LABEL, job))
    kill_when("a model registered", lambda: _registered(platform, project, job))
    kill_when("a candidate seen", lambda: project.promotion(stage).status.candidate)
    kill_when("a champion named", lambda: project.promotion(stage).status.champion)
    project.await_true(PROMOTION, stage, "Ready")
    project.await_true(TRAINING_JOB, job, "Succeeded")

    one_run_and_one_version(platform, project, job)
    each_row_once(platform, project, data, 150)
    assert len(jobs_of(api, project.name, DATASET_LABEL, data)) == 1
    assert len(jobs_of(api, project.name, TRAINING_JOB_LABEL, job)) == 1


def _is_true(project: Project, name: str) -> bool:
    found = project.condition(DATASET, name, "Ready")
    return found is not None and found.status == "True"


def _registered(platform: Platform, project: Project, name: str) -> bool:
    with platform.tracking(project.name) as tracking:
        return bool(tracking.versions_of(project.training_job(name).metadata.uid))


def test_a_training_pod_that_is_deleted_in_the_middle_is_replaced_and_trains_once(
    platform: Platform, iris: Project
) -> None:
    name = "pod-deleted"
    iris.apply(training_job(name, pipeline=slow_pipeline()))
    pod = until(lambda: running(platform.api, iris, TRAINING_JOB_LABEL, name), 120, "a training pod")
    until(lambda: _started_a_run(platform, iris, name), 60, "its run in MLflow")
    platform.api.delete(POD, iris.name, pod["metadata"]["name"], grace_seconds=0)
    iris.await_true(TRAINING_JOB, name, "Succeeded")
    one_run_and_one_version(platform, iris, name)


def _started_a_run(platform: Platform, project: Project, name: str) -> bool:
    with platform.tracking(project.name) as tracking:
        return bool(tracking.runs_of(project.training_job(name).metadata.uid))


def test_training_survives_a_restart_of_the_api_server(
    platform: Platform, iris: Project, node: NodeMachine
) -> None:
    name = "apiserver-restarted"
    iris.apply(training_job(name, pipeline=slow_pipeline()))
    until(lambda: running(platform.api, iris, TRAINING_JOB_LABEL, name), 120, "a training pod")
    node.restart_apiserver(platform.api)
    iris.await_true(TRAINING_JOB, name, "Succeeded")
    one_run_and_one_version(platform, iris, name)
    assert len(jobs_of(platform.api, iris.name, TRAINING_JOB_LABEL, name)) == 1


def test_a_database_that_is_killed_during_a_load_leaves_each_row_once(
    platform: Platform, project: Project
) -> None:
    name = "postgres-killed"
    project.apply(dataset(name, "california-housing"))
    until(lambda: running(platform.api, project, DATASET_LABEL, name), 120, "a loader pod")
    platform.kill_postgres()
    project.await_true(DATASET, name, "Ready", 300)
    each_row_once(platform, project, name, 20_640)
