"""Which earlier run is nearest, and what a TrainingJob does and says with what was found."""

from dataclasses import replace

import pytest

from modelyard_api import labels
from modelyard_api.caching import pack
from modelyard_api.v1alpha1.training_job import ModelRef
from modelyard_operator.decisions.attempts import Pauses, StepFacts
from modelyard_operator.decisions.caching import Found, Hit, Looked, nearest
from modelyard_operator.decisions.training_job import TrainingFacts, decide_training_job
from modelyard_operator.objects.custom import TrainingJobObject
from modelyard_operator.objects.registry import Earlier
from tests.unit.api.test_caching import CHANGES, made
from tests.unit.operator.making import NOW, job, pod, training_job
from tests.unit.operator.test_training_job import DATA, after, reason

MODEL = ModelRef(name="housing", version="4", digest="sha256:" + "4" * 64)
HIT = Looked(Found.HIT, "sha256:k", hit=Hit("run-1", {"rmse": 0.5, "mae": 0.25}, MODEL), nearest="run-1")
MISS = Looked(Found.NONE, "sha256:k", because=("target", "image"), nearest="run-1")


def run(number: int, dataset: str = "houses", **ingredients: str) -> Earlier:
    return Earlier(f"run-{number}", f"sha256:{number}", dataset, number, pack(ingredients))


def facts(looked: Looked | None, *, begun: bool = False) -> TrainingFacts:
    step = StepFacts(NOW, Pauses(10, 300), (job(),) if begun else (), (pod(),) if begun else ())
    return TrainingFacts(step=step, data=DATA, looked=looked)


def asking() -> TrainingJobObject:
    seen = training_job()
    meta = seen.metadata.model_copy(update={"annotations": {labels.DRY_RUN: "true"}})
    return seen.model_copy(update={"metadata": meta})


def test_the_run_with_the_fewest_differences_is_nearest() -> None:
    runs = [run(3, a="1", b="9", c="9"), run(2, a="1", b="2", c="9"), run(1, a="9", b="9", c="9")]
    found = nearest({"a": "1", "b": "2", "c": "3"}, "houses", runs)
    assert found is not None
    assert (found[0].run_id, found[1]) == ("run-2", ["c"])


def test_of_equally_near_runs_the_newest_is_named_and_those_of_the_dataset_before_others() -> None:
    runs = [run(3, "homes", a="1"), run(2, a="2"), run(1, a="3")]
    found = nearest({"a": "1"}, "houses", runs)
    assert found is not None
    assert (found[0].run_id, found[1]) == ("run-2", ["a"])
    assert nearest({"a": "1"}, "flats", runs) == (runs[0], [])


def test_without_readable_runs_there_is_no_nearest() -> None:
    assert nearest({"a": "1"}, "houses", []) is None
    assert nearest({"a": "1"}, "houses", [Earlier("run-1", "k", "houses", 1, "?")]) is None


def test_a_hit_ends_the_job_with_run_model_and_metrics_and_without_a_pod() -> None:
    seen = training_job(evaluation={"primary": "mae"})
    plan = decide_training_job(seen, facts(HIT))
    told = after(seen, plan)
    assert plan.start is None
    assert reason(told) == ("True", "Completed")
    assert reason(told, "Cached") == ("True", "CacheHit")
    status = told.status
    assert status.run is not None
    assert (status.run.id, status.model, status.summary) == ("run-1", MODEL, "mae=0.2500")
    assert (status.attempt, status.usage, status.dataset_version) == (0, None, DATA)
    assert status.start_time == status.completion_time == "2026-03-01T12:00:00Z"
    assert status.cache is not None
    assert (status.cache.hit, status.cache.nearest_run) == (True, "run-1")


def test_a_hit_is_taken_while_the_job_is_suspended_since_nothing_has_to_run() -> None:
    seen = training_job(suspend=True)
    assert reason(after(seen, decide_training_job(seen, facts(HIT)))) == ("True", "Completed")


def test_a_miss_is_trained_and_told_with_the_job() -> None:
    seen = training_job()
    assert decide_training_job(seen, facts(MISS)).start is not None
    told = after(seen, decide_training_job(seen, facts(MISS, begun=True)))
    assert reason(told, "Cached") == ("False", "CacheMiss")
    assert told.status.cache is not None
    assert told.status.cache.miss_because == ["target", "image"]


@pytest.mark.parametrize(
    ("looked", "words"),
    [
        (HIT, "Run run-1 has the same data, spec and image: would be the answer"),
        (MISS, "target, image differ from run run-1, the nearest one: it would be trained"),
        (Looked(Found.NONE, "k"), "There is no earlier run to take: it would be trained"),
        (
            Looked(Found.UNKNOWN, words="Nothing is looked for, why"),
            "Nothing is looked for, why: it would be trained",
        ),
    ],
)
def test_a_question_is_answered_in_the_status_and_nothing_is_started(looked: Looked, words: str) -> None:
    plan = decide_training_job(asking(), facts(looked))
    assert plan.start is None
    told = after(asking(), plan)
    assert reason(told) == ("Unknown", "DryRun")
    succeeded = next(item for item in told.status.conditions if item.type == "Succeeded")
    assert succeeded.message.endswith(words)


def test_a_question_about_a_job_that_has_begun_changes_nothing() -> None:
    plan = decide_training_job(asking(), facts(MISS, begun=True))
    assert reason(after(asking(), plan)) == ("Unknown", "Training")


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_named_in_the_status(change: str) -> None:
    changed, named = CHANGES[change]
    found = nearest(changed, "houses", [Earlier("run-1", "sha256:1", "houses", 1, pack(made()))])
    assert found is not None
    missed = Looked(Found.NONE, "sha256:k", because=tuple(found[1]), nearest=found[0].run_id)
    seen = training_job()
    told = after(seen, decide_training_job(seen, facts(missed, begun=True)))
    assert told.status.cache is not None
    assert sorted(told.status.cache.miss_because) == sorted(named)
    assert told.status.cache.nearest_run == "run-1"


def test_many_differences_are_cut_short() -> None:
    many = replace(MISS, because=tuple(f"path{number}" for number in range(30)))
    assert len(many.status.miss_because) == 20
    assert (
        many.sentence
        == "path0, path1, path2, path3, path4, path5 and 24 more differ from run run-1, the nearest one"
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Found.OFF, "CacheOff"),
        (Found.UNKNOWN, "UnpinnedInput"),
        (Found.UNASKED, "CacheMiss"),
        (Found.GONE, "CacheMiss"),
    ],
)
def test_every_other_finding_is_a_miss_with_its_reason(found: Found, told: str) -> None:
    observed = Looked(found, words="because of this").observed
    assert (observed.status, observed.reason, observed.message) == ("False", told, "because of this")
