"""Small steps in the warm loader's hands: which go there, and what is made of what it says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from modelyard_api import labels
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Failure, Outcome
from modelyard_api.contract.progress import StepProgress
from modelyard_api.contract.warm import WarmState, WarmStep
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus, LoadStatus
from modelyard_operator.decisions.warm import (
    FORGET_AFTER,
    WARM_POLL_SECONDS,
    Entry,
    Hands,
    as_job,
    as_pod,
    expected_rows,
    forgotten,
    is_small,
    present_marks,
    sort_entries,
)
from modelyard_operator.objects.steps import Due, Page, References, StepKind, Trigger
from modelyard_operator.resources import common
from modelyard_operator.resources.steps import DatasetStep, dataset_step
from tests.unit.operator.making import NOW, dataset, job, later
from tests.unit.operator.stepping import SETTINGS, Story, answer, story

STEPS: dict[str, Any] = {"load": {"initialPercent": "40", "incrementPercent": "3", "intervalSeconds": 600}}
LOADED = DatasetStatus(load=LoadStatus(sequence=1, rows=400, source_rows=1000, percent="40"))
FURTHER = Due(StepKind.LOAD, 2, "43", trigger=Trigger.INTERVAL)


def spec(**given: Any) -> DatasetSpec:  # noqa: ANN401  JSON
    found = dataset(**{**STEPS, **given}).spec
    assert isinstance(found, DatasetSpec)
    return found


@pytest.mark.parametrize(
    ("due", "rows"),
    [
        (FURTHER, 30),
        (replace(FURTHER, percent="40.05"), 1),
        (replace(FURTHER, percent="40"), 0),
        (replace(FURTHER, percent="100"), 600),
        (replace(FURTHER, percent="100", refresh=True), 1000),
        (replace(FURTHER, sequence=1, percent="40", trigger=Trigger.EDIT), 1000),
    ],
)
def test_the_rows_of_a_load_follow_from_those_of_the_source(due: Due, rows: int) -> None:
    assert expected_rows(LOADED, due) == rows


def test_nothing_is_known_of_a_source_that_was_never_read() -> None:
    assert expected_rows(DatasetStatus(), FURTHER) is None
    assert expected_rows(DatasetStatus(load=LoadStatus(rows=3)), FURTHER) is None


@pytest.mark.parametrize(("most", "small"), [(0, False), (29, False), (30, True), (1000, True)])
def test_a_load_is_small_up_to_the_limit_and_0_is_none(most: int, small: bool) -> None:  # noqa: FBT001
    assert is_small(spec(), LOADED, FURTHER, 1, most) is small


def test_a_load_of_no_rows_is_still_none_where_none_are_handed_over() -> None:
    assert not is_small(spec(), LOADED, replace(FURTHER, percent="40"), 1, 0)


@pytest.mark.parametrize("kind", [StepKind.VERIFY, StepKind.SWEEP, StepKind.REBUILD])
def test_only_loads_are_handed_over(kind: StepKind) -> None:
    assert not is_small(spec(), LOADED, Due(kind, 1), 1, 1000)


def test_a_second_attempt_has_a_pod_of_its_own() -> None:
    assert not is_small(spec(), LOADED, FURTHER, 2, 1000)


@pytest.mark.parametrize(
    "given",
    [
        {"resources": {"limits": {"memory": "4Gi"}}},
        {"nodeSelector": {"disk": "ssd"}},
        {"tolerations": [{"key": "pool", "operator": "Exists"}]},
        {"priorityClassName": "high"},
        {"queueName": "team"},
        {"activeDeadlineSeconds": 60},
        {"source": {"s3": {"uri": "s3://lake/houses.csv", "credentialsSecret": {"name": "lake"}}}},
        {"source": {"dataset": {"name": "raw", "variant": "v1"}}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_dataset_that_asks_for_what_the_shared_pod_has_not_gets_a_job(given: dict[str, Any]) -> None:
    assert is_small(spec(), LOADED, FURTHER, 1, 1000)
    assert not is_small(spec(**given), LOADED, FURTHER, 1, 1000)


def begin(seen: Story, **changes: Any) -> Entry:  # noqa: ANN401  fields of a step
    """The step that is due, handed over as the reconciler does."""
    plan = seen.settle()
    assert plan.start is not None
    assert plan.due is not None
    assert isinstance(seen.dataset.spec, DatasetSpec)
    meta = seen.dataset.metadata
    parent = common.Parent("Dataset", meta.namespace, meta.name, meta.uid, meta.generation)
    wanted = DatasetStep(
        parent, seen.dataset.spec, seen.dataset.status, plan.due, plan.start.attempt, References()
    )
    marks = {**present_marks(seen.dataset), labels.ATTEMPT: str(plan.start.attempt)}
    given = {"step": dataset_step(wanted, SETTINGS), "marks": marks, "handed_at": seen.now, **changes}
    return Entry("houses-0123456789", WarmStep.model_validate(given))


def told(entry: Entry, **given: Any) -> Entry:  # noqa: ANN401  fields of a state
    """The entry, once the pod says something of it."""
    at = entry.handed.handed_at
    return replace(entry, state=WarmState(handed_at=at, begun_at=at + timedelta(seconds=1), **given))


def show(seen: Story, entry: Entry) -> Story:
    """What the reconciler sees of the entry, in the place of Jobs and pods."""
    pod = as_pod(entry, "demo")
    seen.jobs, seen.pods = [as_job(entry, "demo")], [] if pod is None else [pod]
    return seen


@pytest.fixture
def seen() -> Story:
    """A Dataset whose second load is due."""
    begun = story(**STEPS)
    begun.load()
    begun.wait(600)
    return begun


def test_a_step_that_is_not_begun_is_waited_for_and_has_no_job(seen: Story) -> None:
    plan = show(seen, begin(seen)).look()
    assert (plan.start, plan.after) == (None, WARM_POLL_SECONDS)
    assert seen.condition("Progressing").message == "Load 2, up to 43 %: handed to the warm loader"
    assert seen.dataset.status.job_name is None


def test_a_step_that_runs_tells_how_far_it_is(seen: Story) -> None:
    said = StepProgress(phase="Loading", done=5, total=30, since=NOW)
    seen.page = Page(said, later(700))
    plan = show(seen, told(begin(seen), progress=said)).look()
    assert (plan.start, plan.after) == (None, WARM_POLL_SECONDS)
    load = seen.dataset.status.load
    assert load is not None
    assert load.progress is not None
    assert (load.progress.rows, load.progress.total_rows) == (5, 30)


def test_an_answer_is_taken_as_that_of_a_pod(seen: Story) -> None:
    entry = begin(seen)
    message = answer(Due(StepKind.LOAD, 2, "43"), ["v1"]).encode().decode()
    plan = show(seen, told(entry, ended_at=seen.now, message=message)).look()
    load = seen.dataset.status.load
    assert load is not None
    assert (load.sequence, load.percent, load.last_time) == (2, "43", seen.now)
    assert seen.dataset.status.job_name is None
    assert plan.ended is not None
    entries = [told(entry, ended_at=seen.now, message=message)]
    assert sort_entries(seen.dataset, entries, [], seen.now) == Hands(outdated=tuple(entries))


def failing(entry: Entry, failure_class: FailureClass) -> Entry:
    message = Outcome(failure=Failure(failure_class=failure_class, message="it broke")).encode().decode()
    return told(entry, ended_at=later(660), exit_code=1, message=message)


def test_a_fault_of_the_data_stalls_the_dataset_and_is_then_taken_out(seen: Story) -> None:
    entry = failing(begin(seen), FailureClass.DATA)
    assert sort_entries(seen.dataset, [entry], [], seen.now) == Hands(present=(entry,))
    show(seen, entry).look()
    assert seen.said()["Stalled"] == ("True", "Data")
    assert "it broke" in seen.condition("Progressing").message
    assert sort_entries(seen.dataset, [entry], [], seen.now) == Hands(outdated=(entry,))
    seen.jobs, seen.pods = [], []
    assert seen.look().start is None


def test_a_step_that_was_cut_off_is_tried_again_as_a_job(seen: Story) -> None:
    show(seen, failing(begin(seen), FailureClass.EVICTED)).look()
    assert seen.said()["Progressing"] == ("True", "Retrying")
    seen.wait(300)
    plan = seen.look()
    assert plan.start is not None
    assert plan.start.attempt == 2


def test_a_step_is_taken_out_where_the_work_is_held_back() -> None:
    seen = story(**STEPS)
    seen.load()
    seen.wait(600)
    show(seen, begin(seen))
    seen.edit(**STEPS, suspend=True)
    plan = seen.look()
    assert plan.hold is not None
    assert (plan.hold.job, plan.hold.suspend) == (seen.jobs[0], True)


def test_a_step_that_is_not_begun_in_time_is_left_to_become_a_job(seen: Story) -> None:
    entry = begin(seen)
    at = entry.handed.handed_at
    assert sort_entries(seen.dataset, [entry], [], at) == Hands(present=(entry,))
    assert sort_entries(seen.dataset, [entry], [], at + timedelta(seconds=1)) == Hands()
    running = told(entry)
    assert sort_entries(seen.dataset, [running], [], later(9999)) == Hands(present=(running,))


def test_a_step_that_has_become_a_job_is_taken_out(seen: Story) -> None:
    entry = told(begin(seen))
    assert sort_entries(seen.dataset, [entry], [job(1)], seen.now) == Hands(outdated=(entry,))


def test_steps_of_other_recipes_and_of_a_namesake_before_are_taken_out(seen: Story) -> None:
    entry = told(begin(seen))
    marks = {**entry.handed.marks, labels.RECIPE: "another"}
    other = replace(entry, handed=entry.handed.model_copy(update={"marks": marks}))
    assert sort_entries(seen.dataset, [other], [], seen.now) == Hands(outdated=(other,))
    meta = seen.dataset.metadata.model_copy(update={"uid": "another"})
    namesake = seen.dataset.model_copy(update={"metadata": meta})
    assert sort_entries(namesake, [entry], [], seen.now) == Hands(outdated=(entry,))


def test_steps_of_nobody_are_dropped_after_a_while_and_unreadable_ones_at_once(seen: Story) -> None:
    handed = begin(seen).handed
    at = handed.handed_at
    uid = seen.dataset.metadata.uid
    steps = {"mine": handed, "broken": None}
    assert forgotten(steps, frozenset({uid}), at + FORGET_AFTER * 2) == ("broken",)
    assert forgotten(steps, frozenset(), at + FORGET_AFTER) == ("broken",)
    assert forgotten(steps, frozenset(), at + FORGET_AFTER * 2) == ("mine", "broken")
