"""A TrainingJob with tuning: one Indexed Job whose first pod answers, on the real Job controller."""

from datetime import UTC, datetime
from typing import Any

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Outcome, TrialsOutcome
from modelyard_api.contract.progress import StepProgress
from modelyard_api.v1alpha1.tuning import TuningProgress
from tests.integration.operator.conftest import Project
from tests.integration.operator.test_dataset_steps import page
from tests.support.kubeapi import JOB, POD, TRAINING_JOB, Document
from tests.support.operating import condition
from tests.support.resources import failed, trained, training_job
from tests.support.waiting import until

TUNING: dict[str, Any] = {
    "trials": 60,
    "parallelism": 2,
    "space": [{"parameter": "estimator.n_estimators", "integer": {"low": 50, "high": 400}}],
}
HELPED = Outcome(trials=TrialsOutcome(trials=30)).to_json().decode()


def begin(project: Project) -> str:
    """A tuning whose two pods are there; the name of its Job."""
    project.load_houses()
    project.apply(training_job("forest", project.namespace, tuning=TUNING))
    job = project.job("training-job", "forest")
    for index in (0, 1):
        project.kubelet.worker(index).pod_of(job)
    return job


def read(project: Project) -> Document:
    return project.api.read(TRAINING_JOB, project.namespace, "forest") or {}


def test_trials_are_told_while_pods_are_at_work_and_the_first_one_answers_for_all(project: Project) -> None:
    job = begin(project)
    said = TuningProgress(percent=40, trials_completed=20, trials_pruned=4, best_value="0.3981")
    with page(StepProgress(phase="Tuning", done=0, since=datetime.now(UTC), tuning=said)):
        for index in (0, 1):
            project.kubelet.worker(index).run(job, "127.0.0.1")
        told = until(lambda: read(project).get("status", {}).get("progress"), 30, "progress in the status")
    assert (told["percent"], told["trialsPruned"], told["bestValue"]) == (40, 4, "0.3981")
    project.kubelet.worker(1).succeed(job, HELPED)
    until(lambda: seen(project, job).get("completedIndexes") == "1", 30, "the end of the helper")
    assert condition(read(project), "Succeeded")["reason"] == "Training"
    project.kubelet.worker(0).succeed(job, trained("7", rmse=0.41634))
    done = project.training("forest", "Completed")
    assert done["status"]["summary"] == "rmse=0.4163"
    assert len(project.jobs("training-job", "forest")) == 1
    until(lambda: condition(project.api.read(JOB, project.namespace, job), "Complete"), 30, "the Job's end")


def test_what_one_worker_can_explain_ends_all_of_them_and_is_the_reason(project: Project) -> None:
    job = begin(project)
    project.kubelet.worker(0).run(job)
    message = failed(FailureClass.DATA, "feature a: holds missing values", "Add SimpleImputer")
    project.kubelet.worker(1).fail(job, 11, message)
    ended = project.training("forest", "Data")
    assert "holds missing values" in condition(ended, "Succeeded")["message"]


def test_a_space_outside_of_what_a_class_takes_is_named_before_any_pod(project: Project) -> None:
    project.load_houses()
    space = [{"parameter": "estimator.n_estimators", "integer": {"low": 0, "high": 400}}]
    project.apply(training_job("forest", project.namespace, tuning={**TUNING, "space": space}))
    refused = project.training("forest", "InvalidSpec")
    assert "spec.tuning.space[0].integer.low: 0 is not accepted" in condition(refused, "Succeeded")["message"]
    assert project.jobs("training-job", "forest") == []


def test_a_suspended_tuning_has_no_pods_and_goes_on_with_new_ones_of_the_same_job(project: Project) -> None:
    job = begin(project)
    said = TuningProgress(percent=40, trials_completed=24, trials_running=2)
    with page(StepProgress(phase="Tuning", done=0, since=datetime.now(UTC), tuning=said)):
        for index in (0, 1):
            project.kubelet.worker(index).run(job, "127.0.0.1")
        until(lambda: read(project).get("status", {}).get("progress"), 30, "progress in the status")
    first = pods(project, job)
    assert set(first) == {"0", "1"}

    project.apply(training_job("forest", project.namespace, tuning=TUNING, suspend=True))
    project.training("forest", "Suspended")
    until(lambda: not pods(project, job), 30, "the pods being gone")
    until(lambda: read(project)["status"]["progress"].get("trialsRunning", 0) == 0, 30, "no trial at work")
    assert read(project)["status"]["progress"]["trialsCompleted"] == 24
    assert seen(project, job).get("failed", 0) == 0, "pods that were taken away count for nothing"

    project.apply(training_job("forest", project.namespace, tuning=TUNING, suspend=False))
    second = until(lambda: both(pods(project, job)), 30, "two pods")
    assert set(first.values()).isdisjoint(second.values())
    for index in (0, 1):
        project.kubelet.worker(index).run(job)
    project.training("forest", "Training")
    project.kubelet.worker(1).succeed(job, HELPED)
    project.kubelet.worker(0).succeed(job, trained("7", rmse=0.41634))
    done = project.training("forest", "Completed")
    assert done["status"]["attempt"] == 1
    assert condition(done, "Suspended")["status"] == "False"
    assert len(project.jobs("training-job", "forest")) == 1


def both(found: dict[str, str]) -> dict[str, str] | None:
    """Pods of two workers, once both are there."""
    return found if len(found) == TUNING["parallelism"] else None


def pods(project: Project, job: str) -> dict[str, str]:
    """Ids of the Job's pods by their index."""
    found = project.api.items(POD, project.namespace, f"batch.kubernetes.io/job-name={job}")
    index = "batch.kubernetes.io/job-completion-index"
    return {pod["metadata"]["labels"][index]: pod["metadata"]["uid"] for pod in found}


def seen(project: Project, job: str) -> Document:
    """Status of the Job."""
    status: Document = (project.api.read(JOB, project.namespace, job) or {}).get("status", {})
    return status
