"""Which step of a Dataset comes when: loads, edits, requests, schedules, and the steps beside the load."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from modelyard_api import labels
from modelyard_api.contract.outcome import Outcome, RebuildOutcome, SweepOutcome, VerifyOutcome
from modelyard_api.contract.progress import StepProgress
from modelyard_api.schedule import next_time
from modelyard_api.v1alpha1.dataset_status import ParentVersion
from modelyard_api.v1alpha1.loading import LoadPlan
from modelyard_operator.objects.steps import Page, StepKind, Trigger
from tests.unit.operator.stepping import answer, story

PLAN = {"initialPercent": "40", "incrementPercent": "3", "intervalSeconds": 600}
GROWING = {"s3": {"uri": "s3://lake/houses/*.csv"}}
MADE_FROM = {"dataset": {"name": "raw", "variant": "v1"}}


def parent(number: int) -> ParentVersion:
    return ParentVersion(variant="v1", digest=f"sha256:{number:064x}", uri=f"s3://m/{number}")


def test_forty_percent_and_twenty_steps_of_three_make_twenty_one_loads_and_then_nothing() -> None:
    seen = story(load=PLAN)
    percents = []
    for _ in range(21):
        due = seen.begin()
        percents.append(due.percent)
        seen.end(answer(due, seen.names()))
        assert seen.said()["Ready"] == ("True", "Published")
        seen.wait(600)
    assert percents == ["40", *(str(43 + 3 * step) for step in range(20))]
    plan = seen.settle()
    assert plan.start is None
    assert plan.after is None
    load = seen.dataset.status.load
    assert load is not None
    assert (load.sequence, load.percent, load.next_time) == (21, "100", None)
    assert seen.said()["Progressing"] == ("False", "Complete")


def test_nothing_is_written_between_steps_and_the_next_one_comes_at_its_time() -> None:
    seen = story(load=PLAN)
    seen.load()
    plan = seen.settle()
    assert plan.after == pytest.approx(600)
    assert "up to 43 %" in seen.condition("Progressing").message
    assert seen.said()["Progressing"] == ("True", "WaitingForStep")
    written = seen.written
    seen.wait(599)
    assert seen.settle().after == pytest.approx(1)
    assert seen.written == written
    seen.wait(1)
    due = seen.begin()
    assert (due.sequence, due.trigger) == (2, Trigger.INTERVAL)


def test_a_schedule_counts_in_utc_and_times_that_passed_count_as_one() -> None:
    seen = story(load={"initialPercent": "40", "incrementPercent": "3", "schedule": "30 3 * * *"})
    seen.load()
    seen.settle()
    load = seen.dataset.status.load
    assert load is not None
    assert load.next_time == datetime(2026, 3, 2, 3, 30, tzinfo=UTC)
    seen.now = load.next_time + timedelta(days=3)
    seen.load()
    assert seen.settle().start is None
    load = seen.dataset.status.load
    assert load is not None
    assert (load.sequence, load.next_time) == (2, datetime(2026, 3, 6, 3, 30, tzinfo=UTC))


def test_without_a_schedule_the_next_step_waits_for_a_request() -> None:
    seen = story(load={"initialPercent": "40", "incrementPercent": "3"})
    seen.load()
    assert seen.settle().start is None
    assert seen.said()["Progressing"] == ("False", "WaitingForStep")
    assert labels.LOAD_NOW in seen.condition("Progressing").message
    seen.annotate(labels.LOAD_NOW, "monday")
    due = seen.begin()
    assert (due.sequence, due.percent, due.trigger, due.request) == (2, "43", Trigger.REQUEST, "monday")
    seen.end(answer(due, seen.names()))
    assert seen.settle().start is None, "one step by one value"
    load = seen.dataset.status.load
    assert load is not None
    assert load.handled_request == "monday"


def test_a_request_for_what_is_loaded_whole_makes_no_pod_and_is_done() -> None:
    seen = story()
    seen.load()
    seen.settle()
    seen.annotate(labels.LOAD_NOW, "x" * 200)
    assert seen.settle().start is None
    load = seen.dataset.status.load
    assert load is not None
    assert len(load.handled_request or "") == 32
    written = seen.written
    seen.settle()
    assert seen.written == written


def test_a_source_that_grows_is_looked_at_again_after_the_target_and_nothing_new_is_no_load() -> None:
    seen = story(source=GROWING, load={"intervalSeconds": 60})
    seen.load()
    seen.settle()
    first = seen.dataset.status.load
    seen.wait(60)
    due = seen.begin()
    assert (due.sequence, due.refresh) == (2, True)
    seen.end(answer(due, seen.names(), sequence=1, rows=10, changed=False))
    seen.settle()
    load = seen.dataset.status.load
    assert first is not None
    assert load is not None
    assert (load.sequence, load.last_time) == (1, seen.now)
    assert load.published_time == first.published_time
    assert seen.said()["Loaded"] == ("True", "NothingNew")
    seen.wait(60)
    again = seen.begin()
    assert (again.sequence, again.refresh) == (2, True)


def test_a_source_that_is_pinned_is_never_looked_at_again() -> None:
    seen = story(load={"intervalSeconds": 60})
    seen.load()
    seen.settle()
    written = seen.written
    seen.wait(86400)
    assert seen.settle().start is None
    assert seen.written == written


def test_an_edit_publishes_the_present_load_anew_and_the_plan_goes_on_afterwards() -> None:
    seen = story(load=PLAN)
    seen.load()
    seen.settle()
    seen.edit(load=PLAN, variants=[{"name": "v1"}])
    due = seen.begin()
    assert (due.sequence, due.percent, due.trigger) == (1, "40", Trigger.EDIT)
    seen.run()
    assert seen.said()["Ready"] == ("False", "Loading")
    assert len(seen.dataset.status.variants) == 2, "the earlier versions stay until the new ones are there"
    seen.end(answer(due, seen.names()))
    assert seen.said()["Ready"] == ("True", "Published")
    assert len(seen.dataset.status.variants) == 1
    seen.wait(600)
    assert seen.begin().sequence == 2


def test_an_edit_of_the_columns_leads_to_a_load_of_its_own_and_the_plan_goes_on_behind_it() -> None:
    seen = story(load=PLAN)
    seen.load()
    seen.settle()
    seen.edit(load=PLAN, columns=[{"name": "price", "type": "Number"}])
    due = seen.begin()
    assert (due.sequence, due.percent, due.trigger) == (1, "40", Trigger.EDIT)
    seen.run()
    seen.end(answer(due, seen.names(), sequence=2))
    assert seen.said()["Ready"] == ("True", "Published")
    assert {each.sequence for each in seen.dataset.status.variants} == {2}
    assert seen.settle().start is None
    seen.wait(600)
    due = seen.begin()
    assert (due.sequence, due.percent, due.trigger) == (3, "43", Trigger.INTERVAL)


def test_an_edit_of_the_plan_alone_publishes_nothing() -> None:
    seen = story(load=PLAN)
    seen.load()
    seen.settle()
    seen.edit(load={**PLAN, "intervalSeconds": 60})
    assert seen.settle().after == pytest.approx(60)
    assert {item.observed_generation for item in seen.dataset.status.conditions} == {2}
    assert seen.dataset.status.observed_generation == 2


def test_versions_stay_ready_while_a_further_load_is_at_work_and_when_it_is_held() -> None:
    seen = story(load=PLAN)
    seen.load()
    seen.settle()
    seen.wait(600)
    seen.begin()
    seen.run()
    assert seen.said()["Ready"] == ("True", "Published")
    assert seen.said()["Progressing"] == ("True", "Loading")
    assert "Load 2, up to 43 %" in seen.condition("Progressing").message
    seen.edit(load=PLAN, suspend=True)
    assert seen.look().hold is not None
    assert seen.said()["Progressing"] == ("False", "Suspended")
    assert seen.said()["Ready"] == ("True", "Published")


def test_while_suspended_nothing_is_due_by_itself() -> None:
    seen = story(load=PLAN)
    seen.load()
    seen.settle()
    seen.edit(load=PLAN, suspend=True)
    seen.wait(6000)
    assert seen.settle().start is None
    assert seen.said()["Progressing"] == ("False", "Suspended")
    load = seen.dataset.status.load
    assert load is not None
    assert load.next_time is None


def test_a_version_of_its_source_is_loaded_when_it_appears_and_once() -> None:
    seen = story(parent(1), source=MADE_FROM)
    first = seen.begin()
    assert first.parent == parent(1)
    seen.end(answer(first, seen.names()))
    written = seen.written
    assert seen.settle().start is None
    seen.parent = parent(2)
    due = seen.begin()
    assert (due.sequence, due.refresh, due.trigger) == (2, True, Trigger.SOURCE)
    assert due.parent == parent(2)
    seen.end(answer(due, seen.names()))
    assert seen.settle().start is None
    assert seen.written > written


def test_the_loads_of_one_snapshot_are_of_one_version_of_its_source() -> None:
    seen = story(parent(1), source=MADE_FROM, load=PLAN)
    seen.load()
    seen.settle()
    seen.parent = parent(2)
    assert seen.settle().start is None, "the new version waits until the old one is loaded"
    seen.wait(600)
    assert seen.begin().parent == parent(1)


def test_every_version_is_built_twice_where_that_is_asked_for() -> None:
    seen = story(verify={}, load=PLAN)
    seen.load()
    due = seen.begin()
    assert (due.kind, due.sequence) == (StepKind.VERIFY, 1)
    seen.page = Page(StepProgress(phase="Building", since=seen.now), seen.now)
    seen.run()
    assert seen.said()["Progressing"] == ("True", "Verifying")
    load = seen.dataset.status.load
    assert load is not None
    assert load.progress is not None
    seen.end(Outcome(verify=VerifyOutcome(sequence=1, settings="4 threads")))
    load = seen.dataset.status.load
    assert load is not None
    assert load.progress is None
    assert seen.said()["Deterministic"] == ("True", "SameValues")
    assert seen.settle().start is None
    seen.wait(600)
    seen.load()
    assert seen.begin().kind is StepKind.VERIFY
    seen.end(Outcome(verify=VerifyOutcome(sequence=2, settings="4 threads", differing=["v2: MedInc"])))
    assert seen.said()["Deterministic"] == ("False", "DifferentValues")
    assert "v2: MedInc" in seen.condition("Deterministic").message
    assert seen.said()["Ready"] == ("True", "Published")


def test_a_second_build_by_hand_is_made_once_for_each_value() -> None:
    seen = story()
    seen.load()
    assert seen.settle().start is None
    seen.annotate(labels.VERIFY_NOW, "a/b")
    assert seen.begin().kind is StepKind.VERIFY
    seen.end(Outcome(verify=VerifyOutcome(sequence=1, settings="4 threads")))
    assert seen.settle().start is None
    seen.annotate(labels.VERIFY_NOW, "again")
    assert seen.begin().kind is StepKind.VERIFY


def test_retention_follows_each_publication_and_a_dry_run_does_not_stand_for_it() -> None:
    seen = story(retention={"keepLast": 3}, load=PLAN)
    seen.load()
    assert seen.begin().kind is StepKind.SWEEP
    swept = SweepOutcome(versions_kept=1, versions_removed=0, objects_removed=0, bytes_removed=0)
    plan = seen.end(Outcome(sweep=swept))
    assert plan.announce is not None
    assert plan.announce.reason == "Swept"
    assert seen.settle().start is None
    seen.annotate(labels.SWEEP_NOW, "dry-run-1")
    due = seen.begin()
    assert due.dry_run
    seen.end(Outcome(sweep=swept.model_copy(update={"dry_run": True})))
    assert seen.settle().start is None
    seen.wait(600)
    seen.load()
    assert not seen.begin().dry_run


def test_what_retention_would_remove_is_listed_before_it_goes() -> None:
    seen = story(retention={"keepLast": 3})
    seen.annotate(labels.SWEEP_NOW, "dry-run")
    seen.load()
    assert seen.begin().dry_run
    listed = SweepOutcome(
        dry_run=True, versions_kept=1, versions_removed=0, objects_removed=0, bytes_removed=0
    )
    seen.end(Outcome(sweep=listed))
    assert not seen.begin().dry_run
    seen.end(Outcome(sweep=listed.model_copy(update={"dry_run": False})))
    assert seen.settle().start is None


def test_a_schedule_means_utc_wherever_the_last_time_was_written() -> None:
    plan = LoadPlan(schedule="0 3 * * *")
    last = datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=5)))
    assert next_time(plan, last) == datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def test_retention_by_hand_does_nothing_where_the_spec_has_none() -> None:
    seen = story()
    seen.load()
    seen.annotate(labels.SWEEP_NOW, "now")
    assert seen.settle().start is None
    written = seen.written
    seen.settle()
    assert seen.written == written


def test_a_rebuild_by_hand_comes_before_the_next_load() -> None:
    seen = story(load=PLAN)
    seen.load()
    seen.wait(600)
    seen.annotate(labels.REBUILD_NOW, "1")
    assert seen.begin().kind is StepKind.REBUILD
    plan = seen.end(Outcome(rebuild=RebuildOutcome(sequence=1, rows=10, audit_head="sha256:" + "3" * 64)))
    assert plan.announce is not None
    assert seen.said()["Loaded"] == ("True", "Rebuilt")
    assert seen.begin().kind is StepKind.LOAD


def test_a_request_that_comes_while_a_step_is_at_work_is_the_next_step() -> None:
    seen = story(load=PLAN)
    due = seen.begin()
    seen.run()
    seen.annotate(labels.LOAD_NOW, "1")
    plan = seen.look()
    assert plan.start is None
    assert not plan.stop
    seen.end(answer(due, seen.names()))
    following = seen.begin()
    assert (following.sequence, following.trigger, following.request) == (2, Trigger.REQUEST, "1")


def test_what_was_asked_for_before_the_first_load_is_that_load() -> None:
    seen = story(load=PLAN)
    seen.annotate(labels.LOAD_NOW, "1")
    seen.load()
    assert seen.settle().start is None
