"""What a Dataset's conditions say: rules, failures, outages, waiting, and how much of it fits."""

from datetime import timedelta

import pytest

from modelyard_api import labels
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import LoadOutcome, Outcome, SweepOutcome
from modelyard_api.contract.progress import StepProgress
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.dataset_status import (
    ClassCount,
    ColumnStatus,
    ParentVersion,
    RuleStatus,
    ValidationStatus,
)
from modelyard_api.v1alpha1.validation import Severity
from modelyard_operator.decisions.data_version import Waiting
from modelyard_operator.decisions.dataset_end import LIMIT_BYTES, fit
from modelyard_operator.decisions.plan import Refusal
from modelyard_operator.objects.steps import Page, StepKind
from tests.unit.operator.making import NOW, dataset, job
from tests.unit.operator.stepping import Story, answer, story

PLAN = {"initialPercent": "40", "incrementPercent": "3", "intervalSeconds": 600}
RULES = [{"rule": "nullValues", "column": "MedInc"}]
BROKEN = RuleStatus(rule="nullValues MedInc", severity=Severity.ERROR, observed="7", required="0")
PLATFORM = "Postgres at postgres:5432: no answer"


def test_a_broken_rule_keeps_the_last_good_version_ready() -> None:
    seen = story(load=PLAN, validation=RULES)
    seen.load(validation=ValidationStatus(sequence=1, passed=1))
    assert seen.said()["Valid"] == ("True", "RulesHeld")
    good = seen.dataset.status.variants
    seen.settle()
    seen.wait(600)
    due = seen.begin()
    load = answer(due, seen.names()).load
    assert load is not None
    kept = [item.model_copy(update={"sequence": 1}) for item in load.variants]
    broken = ValidationStatus(sequence=2, errors=1, broken=[BROKEN])
    seen.end(Outcome(load=load.model_copy(update={"variants": kept, "validation": broken})))
    assert seen.said()["Ready"] == ("True", "Published")
    assert seen.said()["Valid"] == ("False", "RulesBroken")
    message = seen.condition("Valid").message
    assert "nullValues MedInc (Error): observed 7, required 0" in message
    assert "the last good versions stay" in message
    assert [item.sequence for item in seen.dataset.status.variants] == [item.sequence for item in good]
    assert seen.settle().after == pytest.approx(600), "the plan goes on"


def test_a_first_load_that_breaks_a_rule_is_not_ready_and_the_plan_goes_on() -> None:
    seen = story(load=PLAN, validation=RULES)
    broken = ValidationStatus(sequence=1, errors=1, broken=[BROKEN])
    seen.load(variants=[], validation=broken)
    assert seen.said()["Ready"] == ("False", "RulesBroken")
    assert "v1, v2 has no version yet" in seen.condition("Ready").message
    assert "Stalled" not in seen.said()
    assert seen.settle().start is None
    seen.wait(600)
    assert seen.begin().sequence == 2


def test_without_rules_a_load_is_valid_for_that_reason() -> None:
    seen = story()
    seen.load()
    assert seen.said()["Valid"] == ("True", "NoRules")


def test_a_warning_is_told_and_breaks_nothing() -> None:
    seen = story(validation=[{**RULES[0], "severity": "Warning"}])
    warning = BROKEN.model_copy(update={"severity": Severity.WARNING, "variant": "v1"})
    seen.load(validation=ValidationStatus(sequence=1, warnings=1, broken=[warning]))
    assert seen.said()["Valid"] == ("True", "RulesHeld")
    assert "1 warnings: nullValues MedInc of v1" in seen.condition("Valid").message


def test_an_outage_is_told_while_the_step_waits_and_is_tried_again_for_as_long_as_it_lasts() -> None:
    seen = story(load=PLAN, backoffLimit=0)
    seen.begin()
    seen.run()
    seen.page = Page(StepProgress(phase="Loading", since=NOW, waiting_for=PLATFORM), NOW)
    seen.look()
    assert seen.said()["Ready"] == ("False", "Platform")
    assert PLATFORM in seen.condition("Ready").message
    seen.page = None
    for attempt in range(1, 8):
        seen.wait(400)
        plan = seen.fail(FailureClass.PLATFORM, PLATFORM)
        if plan.start is None:
            assert seen.said()["Ready"] == ("False", "Retrying")
            assert PLATFORM in seen.condition("Ready").message
            seen.wait(400)
        seen.begin()
        assert len(seen.jobs) == attempt + 1
    assert "Stalled" not in seen.said()


def test_attempts_of_a_long_outage_are_removed_but_for_the_first_and_the_last() -> None:
    seen = story()
    due = seen.begin()
    seen.jobs = [seen.job(due, attempt) for attempt in range(1, 8)]
    plan = seen.run()
    assert [job.metadata.name for job in plan.stop] == [f"forest-{attempt}" for attempt in range(2, 6)]


def test_a_further_load_that_fails_for_good_stalls_and_leaves_the_versions_ready() -> None:
    seen = story(load=PLAN)
    seen.load()
    seen.settle()
    seen.wait(600)
    seen.begin()
    seen.fail(FailureClass.DATA, "the source shrank from 100 rows to 90")
    assert seen.said()["Ready"] == ("True", "Published")
    assert seen.said()["Stalled"] == ("True", "Data")
    assert seen.said()["Progressing"] == ("False", "Data")
    assert "Load 2" in seen.condition("Progressing").message
    seen.wait(6000)
    assert seen.settle().start is None


def test_a_request_or_an_edit_tries_a_failed_step_again_and_once() -> None:
    seen = story(load=PLAN)
    seen.load()
    seen.wait(600)
    seen.begin()
    seen.fail(FailureClass.DATA, "broken file")
    seen.annotate(labels.LOAD_NOW, "fixed")
    due = seen.begin()
    assert (due.sequence, due.request, len(seen.jobs)) == (2, "fixed", 2)
    seen.run()
    assert seen.said()["Stalled"][0] == "False"
    seen.fail(FailureClass.DATA, "still broken")
    assert seen.settle().start is None
    assert seen.said()["Stalled"] == ("True", "Data")
    seen.edit(load=PLAN, resources={"limits": {"memory": "4Gi"}})
    seen.begin()
    assert len(seen.jobs) == 3


def test_an_attempt_that_is_not_allowed_yet_is_not_forgotten() -> None:
    seen = story(load=PLAN)
    seen.begin()
    seen.fail(FailureClass.DATA, "broken file")
    seen.annotate(labels.LOAD_NOW, "fixed")
    seen.refusal = Refusal("Quota", "no more Jobs", final=False)
    assert seen.look().after is not None
    assert seen.said()["Ready"] == ("False", "Quota")
    seen.refusal = None
    plan = seen.look()
    assert plan.start is not None
    assert plan.start.attempt == 2


def test_another_version_of_its_source_tries_a_failed_load_again() -> None:
    def version(number: int) -> ParentVersion:
        return ParentVersion(variant="v1", digest=f"sha256:{number:064x}", uri="s3://m")

    seen = story(version(1), source={"dataset": {"name": "raw", "variant": "v1"}})
    seen.begin()
    seen.fail(FailureClass.DATA, "duplicate keys")
    assert seen.settle().start is None
    seen.parent = version(2)
    due = seen.begin()
    assert due.parent == version(2)
    seen.run()
    assert seen.said()["Stalled"][0] == "False"
    seen.end(answer(due, seen.names()))
    assert seen.said()["Ready"] == ("True", "Published")


def test_a_step_beside_the_load_that_fails_is_told_of_and_not_made_again_by_itself() -> None:
    seen = story(retention={"keepLast": 1})
    seen.load()
    assert seen.begin().kind is StepKind.SWEEP
    plan = seen.fail(FailureClass.CODE, "it broke")
    assert plan.ended is not None
    assert plan.ended.failed
    assert seen.said()["Progressing"] == ("False", "Code")
    assert "Stalled" not in seen.said()
    written = seen.written
    assert seen.settle().start is None
    assert seen.written == written
    assert "it broke" in seen.condition("Progressing").message
    seen.annotate(labels.SWEEP_NOW, "again")
    assert seen.begin().kind is StepKind.SWEEP
    swept = SweepOutcome(versions_kept=1, versions_removed=2, objects_removed=3, bytes_removed=4)
    seen.end(Outcome(sweep=swept))
    assert seen.said()["Progressing"] == ("False", "Complete")


def test_a_second_build_that_comes_to_nothing_says_nothing_about_the_values() -> None:
    seen = story(verify={})
    seen.load()
    seen.begin()
    seen.fail(FailureClass.OUT_OF_MEMORY, "memory limit")
    assert seen.said()["Deterministic"] == ("Unknown", "OutOfMemory")
    assert seen.settle().start is None


def test_a_dataset_waits_for_the_one_that_is_its_source() -> None:
    seen = story(
        Waiting("spec.source.dataset.name: the Dataset raw is not there"),
        source={"dataset": {"name": "raw", "variant": "v1"}},
    )
    assert seen.settle().start is None
    assert seen.said()["Ready"] == ("False", "WaitingForDataset")
    seen.parent = ParentVersion(variant="v1", digest="sha256:" + "1" * 64, uri="s3://m")
    assert seen.begin().sequence == 1


def test_a_circle_is_refused_until_it_is_broken() -> None:
    seen = story(source={"dataset": {"name": "raw", "variant": "v1"}})
    seen.circle = "spec.source.dataset.name = 'raw': the Datasets go in a circle: houses from raw from houses"
    assert seen.settle().start is None
    assert seen.said()["Ready"] == ("False", "InvalidSpec")
    assert "houses from raw from houses" in seen.condition("Ready").message
    seen.circle = ""
    seen.parent = ParentVersion(variant="v1", digest="sha256:" + "1" * 64, uri="s3://m")
    assert seen.begin().sequence == 1


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        ("every day at noon", "it has not five fields"),
        ("61 * * * *", "bad minute"),
        ("0 0 12 * * *", "it has not five fields"),
        ("0 0 31 2 *", "bad day-of-month"),
    ],
)
def test_a_schedule_that_is_none_is_refused_with_field_value_and_remedy(schedule: str, fault: str) -> None:
    seen = story(load={"schedule": schedule})
    assert seen.settle().start is None
    assert seen.said()["Stalled"] == ("True", "InvalidSpec")
    message = seen.condition("Ready").message
    assert message.startswith(f"spec.load.schedule = '{schedule}': {fault}")
    assert "*/10 * * * *" in message


def test_progress_is_told_while_the_step_runs_and_gone_with_it() -> None:
    seen = story(load=PLAN)
    due = seen.begin()
    said = StepProgress(phase="Loading", done=2500, total=10_000, since=NOW - timedelta(seconds=5))
    seen.page = Page(said, NOW)
    plan = seen.run()
    assert plan.after == pytest.approx(5)
    load = seen.dataset.status.load
    assert load is not None
    assert load.progress is not None
    told = load.progress
    assert (told.phase, told.rows, told.percent) == ("Loading", 2500, "25")
    assert (told.rows_per_second, told.estimated_seconds_remaining) == (500, 15)
    seen.wait(4)
    written = seen.written
    seen.look()
    assert seen.written == written, "the same page tells the same, however late it is looked at"
    seen.page = None
    seen.end(answer(due, seen.names()))
    load = seen.dataset.status.load
    assert load is not None
    assert load.progress is None


def test_the_status_stays_within_its_size_whatever_there_is_to_say() -> None:
    names = [f"variant-number-{number:02d}-of-many" for number in range(20)]
    seen = story(variants=[{"name": name} for name in names], validation=RULES)
    due = seen.begin()
    load = answer(due, names).load
    assert load is not None
    classes = [ClassCount(name="class " + "x" * 50 + str(number), rows=10**6) for number in range(12)]
    columns = [ColumnStatus(name=f"{'c' * 60}{number:02d}", type=ColumnType.TEXT) for number in range(40)]
    rules = [
        RuleStatus(rule="r" * 120, severity=Severity.ERROR, observed="o" * 60, required="p" * 90)
        for _ in range(10)
    ]
    full: LoadOutcome = load.model_copy(
        update={
            "variants": [item.model_copy(update={"classes": classes}) for item in load.variants],
            "columns": columns,
            "validation": ValidationStatus(sequence=1, errors=10, broken=rules),
        }
    )
    seen.end(Outcome(load=full))
    status = seen.dataset.status.model_copy(
        update={
            "columns": columns,
            "variants": [
                item.model_copy(update={"classes": classes, "uri": "s3://" + "u" * 200})
                for item in seen.dataset.status.variants
            ],
        }
    )
    fitting = fit(status)
    assert len(fitting.model_dump_json(by_alias=True, exclude_none=True)) <= LIMIT_BYTES
    assert [item.digest for item in fitting.variants] == [item.digest for item in status.variants]
    assert fit(fitting) == fitting


def test_a_spec_that_cannot_be_read_stops_no_pod_that_is_at_work() -> None:
    seen = Story(dataset(variants=[{"name": "b", "from": "c"}]))
    seen.outdated = (job(),)
    assert not seen.look().stop


def test_a_spec_that_cannot_be_read_is_told_in_the_words_of_its_check() -> None:
    seen = Story(dataset(variants=[{"name": "a"}, {"name": "b", "from": "c"}]))
    seen.look()
    message = seen.condition("Ready").message
    assert message.startswith("spec.variants: b starts from c, which is not an earlier variant")
    assert "Value error" not in message
