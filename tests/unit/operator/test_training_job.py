"""What a TrainingJob needs next, from what is seen of it."""

import math
from dataclasses import replace

import pytest

from modelyard_api.catalog import Problem
from modelyard_api.conditions import find_condition
from modelyard_api.contract.outcome import Outcome, parse_outcome
from modelyard_api.contract.progress import StepProgress
from modelyard_api.v1alpha1.training_job import Compiled, DatasetRef, DatasetVersion, TrainingJobStatus
from modelyard_api.v1alpha1.tuning import BestTrial, TrialParameter, TuningProgress
from modelyard_operator.decisions.attempts import Pauses, StepFacts
from modelyard_operator.decisions.data_version import Waiting, find_version
from modelyard_operator.decisions.memory import Memory
from modelyard_operator.decisions.plan import Plan
from modelyard_operator.decisions.training_job import TrainingFacts, decide_training_job
from modelyard_operator.objects.custom import TrainingJobObject
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.steps import POLL_SECONDS, Page, Pinned
from modelyard_operator.objects.workloads import Job
from tests.support.resources import trained
from tests.unit.operator.making import NOW, complete, dataset, ended, job, later, pod, training_job
from tests.unit.operator.test_dataset import published

DATA = DatasetVersion(variant="v1", sequence=1, digest="sha256:" + "1" * 64, uri="s3://a/b")


def facts(jobs: list[Job] | None = None, pods: list[Pod] | None = None) -> TrainingFacts:
    step = StepFacts(now=NOW, pauses=Pauses(10, 300), jobs=tuple(jobs or []), pods=tuple(pods or []))
    return TrainingFacts(step=step, data=DATA, job_name="forest-1" if jobs else None)


def after(seen: TrainingJobObject, plan: Plan[TrainingJobStatus]) -> TrainingJobObject:
    return seen.model_copy(update={"status": plan.status})


def reason(seen: TrainingJobObject, type_: str = "Succeeded") -> tuple[str, str]:
    found = find_condition(seen.status.conditions, type_)
    return (str(found.status), found.reason) if found else ("", "")


def test_faults_of_the_pipeline_end_it_before_any_job() -> None:
    problem = Problem(
        "spec.pipeline.estimator.class", "os.system", "is not a class", "Name one of the catalog"
    )
    seen = training_job()
    plan = decide_training_job(seen, replace(facts(), problems=[problem]))
    assert plan.start is None
    assert reason(after(seen, plan)) == ("False", "InvalidSpec")


def test_a_job_at_work_records_data_attempt_and_start() -> None:
    seen = training_job()
    told = after(seen, decide_training_job(seen, facts([job()], [pod()])))
    assert reason(told) == ("Unknown", "Training")
    assert reason(told, "Running") == ("True", "Training")
    assert reason(told, "Reconciling") == ("True", "Training")
    assert told.status.dataset_version == DATA
    assert told.status.attempt == 1
    assert told.status.start_time == "2026-03-01T12:00:00Z"


def test_the_end_has_run_model_metrics_and_usage_and_is_never_taken_back() -> None:
    seen = training_job(evaluation={"primary": "mae"})
    message = trained("3", rmse=0.5, mae=0.25, r2=math.nan)
    told = after(seen, decide_training_job(seen, facts([complete()], [ended(message=message)])))
    assert reason(told) == ("True", "Completed")
    assert told.status.summary == "mae=0.2500"
    assert [item.name for item in told.status.metrics] == ["mae", "rmse"]
    assert told.status.model is not None
    assert told.status.model.version == "3"
    assert told.status.usage is not None
    assert told.status.usage.cpu_seconds == "4.2"
    assert told.status.compiled == Compiled(used=True, rows=4128, max_delta="2e-15")
    assert told.status.usage.suggested_requests is not None
    assert told.status.usage.suggested_requests.to_wire() == {"cpu": "500m", "memory": "352Mi"}
    assert decide_training_job(told, facts()).status == told.status
    assert decide_training_job(told, facts()).start is None


TUNING = {
    "trials": 60,
    "space": [{"parameter": "estimator.n_estimators", "integer": {"low": 50, "high": 400}}],
}


def page(**said: int) -> Page:
    told = TuningProgress(percent=40, trials_completed=20, best_value="0.41", **said)
    return Page(StepProgress(phase="Tuning", since=NOW, tuning=told), NOW)


def test_trials_are_followed_every_few_seconds_and_stay_known_while_nobody_tells_of_them() -> None:
    seen = training_job(tuning=TUNING)
    at_work = replace(facts([job()], [pod()]), page=page(trials_running=2, estimated_seconds_remaining=70))
    plan = decide_training_job(seen, at_work)
    assert plan.after == POLL_SECONDS
    told = after(seen, plan)
    assert told.status.progress is not None
    assert (told.status.progress.trials_running, told.status.progress.best_value) == (2, "0.41")
    assert told.status.summary == "rmse=0.4100, 40 %"
    mute = after(told, decide_training_job(told, facts([job()], [pod()])))
    assert mute.status.summary == told.status.summary
    assert mute.status.progress == told.status.progress
    held = seen.model_copy(
        update={"spec": training_job(tuning=TUNING, suspend=True).spec, "status": told.status}
    )
    rests = decide_training_job(held, facts([job()], [])).status.progress
    assert rests is not None
    assert (rests.trials_running, rests.estimated_seconds_remaining, rests.trials_completed) == (0, None, 20)
    plain = training_job()
    assert decide_training_job(plain, facts([job()], [pod()])).after is None


def test_the_end_of_a_tuning_names_its_best_trial() -> None:
    seen = training_job(tuning=TUNING)
    outcome = parse_outcome(trained("3"))
    assert outcome is not None
    assert outcome.train is not None
    best = BestTrial(number=7, value="0.39", parameters=[TrialParameter(name="estimator.a", value="3")])
    done = TuningProgress(percent=100, trials_completed=60)
    answer = Outcome(train=outcome.train.model_copy(update={"best": best, "progress": done}))
    pods = [ended(message=answer.to_json().decode())]
    told = after(seen, decide_training_job(seen, facts([complete()], pods)))
    assert reason(told) == ("True", "Completed")
    assert (told.status.best, told.status.progress) == (best, done)


def test_a_raised_memory_limit_is_told() -> None:
    seen = training_job()
    step = replace(facts([job(2)], [pod(2)]).step, memory=Memory(raised="4Gi"))
    told = after(seen, decide_training_job(seen, replace(facts([job(2)]), step=step)))
    assert (told.status.attempt, told.status.memory_limit) == (2, "4Gi")
    found = find_condition(told.status.conditions, "Running")
    assert found is not None
    assert found.message == "Attempt 2 is at work, with 4Gi of memory since one ran out of it"


def test_the_end_stays_known_when_the_spec_is_edited_later() -> None:
    seen = training_job()
    told = after(seen, decide_training_job(seen, facts([complete()], [ended(message=trained())])))
    generation = told.metadata.generation + 1
    edited = told.model_copy(update={"metadata": told.metadata.model_copy(update={"generation": generation})})
    status = decide_training_job(edited, facts()).status
    assert status.observed_generation == generation
    assert {item.observed_generation for item in status.conditions} == {generation}


def test_a_job_that_ends_while_it_is_held_is_not_held_any_more() -> None:
    seen = training_job(suspend=True)
    held = after(seen, decide_training_job(seen, facts([job()])))
    assert reason(held, "Suspended") == ("True", "Suspended")
    told = after(held, decide_training_job(held, facts([complete()], [ended(message=trained())])))
    assert reason(told) == ("True", "Completed")
    assert reason(told, "Suspended") == ("False", "Ended")


@pytest.mark.parametrize(("seconds", "gone"), [(59, False), (60, True)])
def test_it_deletes_itself_after_its_time(seconds: int, gone: bool) -> None:  # noqa: FBT001  a column
    seen = training_job(ttlSecondsAfterFinished=60)
    told = after(seen, decide_training_job(seen, facts([complete()], [ended(message=trained())])))
    step = replace(facts().step, now=later(seconds))
    plan = decide_training_job(told, replace(facts(), step=step))
    assert plan.delete_self is gone
    assert gone or plan.after == pytest.approx(1)


def test_nothing_starts_without_data() -> None:
    seen = training_job()
    plan = decide_training_job(seen, replace(facts(), data=Waiting("not there")))
    assert plan.start is None
    assert reason(after(seen, plan)) == ("Unknown", "WaitingForDataset")


def test_which_version_of_a_dataset_is_meant() -> None:
    ready = published()
    first = ready.status.variants[0]
    ref = DatasetRef(name="houses", variant="v1")
    found = find_version(ref, ready)
    assert isinstance(found, DatasetVersion)
    assert found.digest == first.digest
    assert isinstance(find_version(ref, None), Waiting)
    assert isinstance(find_version(ref, dataset()), Waiting)
    unknown = find_version(ref.model_copy(update={"variant": "v9"}), ready)
    assert isinstance(unknown, Waiting)
    assert "it has v1, v2" in unknown.message


def test_a_version_that_is_not_the_latest_is_looked_up_by_the_trainer() -> None:
    ready = published()
    for pin in (
        {"digest": "sha256:" + "f" * 64},
        {"as_of": NOW},
        {"sequence": 1, "digest": "sha256:" + "f" * 64},
    ):
        found = find_version(DatasetRef.model_validate({"name": "houses", "variant": "v1", **pin}), ready)
        assert found == Pinned(ready.metadata.uid), pin
    latest = find_version(DatasetRef(name="houses", variant="v1", sequence=1), ready)
    assert isinstance(latest, DatasetVersion)
    later_one = find_version(DatasetRef(name="houses", variant="v1", sequence=2), ready)
    assert isinstance(later_one, Waiting)
    assert "the last load of the Dataset houses is 1" in later_one.message
    nothing = find_version(DatasetRef(name="houses", variant="v1", sequence=1), dataset())
    assert isinstance(nothing, Waiting)


def test_the_status_tells_which_version_the_trainer_found() -> None:
    seen = training_job(datasetRef={"name": "houses", "variant": "v1", "sequence": 1})
    found = DatasetVersion(variant="v1", sequence=1, digest="sha256:" + "9" * 64, uri="s3://m/1")
    outcome = parse_outcome(trained())
    assert outcome is not None
    assert outcome.train is not None
    message = Outcome(train=outcome.train.model_copy(update={"data": found})).encode().decode()
    pinned = replace(facts([complete()], [ended(message=message)]), data=Pinned("uid"))
    assert decide_training_job(seen, pinned).status.dataset_version == found


def test_a_pinned_version_is_taken_even_while_its_dataset_loads_anew() -> None:
    ready = published()
    pinned = DatasetRef(name="houses", variant="v1", digest=ready.status.variants[0].digest)
    loading = dataset(variants=[{"name": "v1"}]).model_copy(update={"status": ready.status})
    assert isinstance(find_version(pinned, loading), DatasetVersion)
    assert isinstance(find_version(DatasetRef(name="houses", variant="v1"), loading), Waiting)
