"""What a Dataset needs next, from what is seen of it."""

from modelyard_api.conditions import find_condition
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus
from modelyard_operator.decisions.attempts import Pauses, StepFacts
from modelyard_operator.decisions.dataset import decide_dataset, recorded_attempt
from modelyard_operator.decisions.dataset_facts import DatasetFacts
from modelyard_operator.decisions.plan import Plan, Refusal
from modelyard_operator.decisions.published import is_published
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.workloads import Job
from tests.support.resources import failed, loaded
from tests.unit.operator.making import NOW, broken, complete, dataset, ended, job, pod


def decide(
    seen: DatasetObject,
    jobs: list[Job] | None = None,
    pods: list[Pod] | None = None,
    refusal: Refusal | None = None,
) -> Plan[DatasetStatus]:
    step = StepFacts(now=NOW, pauses=Pauses(10, 300), jobs=tuple(jobs or []), pods=tuple(pods or []))
    return decide_dataset(seen, DatasetFacts(step=step, bucket="modelyard", refusal=refusal))


def after(seen: DatasetObject, plan: Plan[DatasetStatus], generation: int = 1) -> DatasetObject:
    meta = seen.metadata.model_copy(update={"generation": generation})
    return seen.model_copy(update={"status": plan.status, "metadata": meta})


def reason(seen: DatasetObject, type_: str = "Ready") -> str:
    found = find_condition(seen.status.conditions, type_)
    return found.reason if found else ""


def published() -> DatasetObject:
    seen = dataset()
    return after(seen, decide(seen, [complete()], [ended(message=loaded("v1", "v2"))]))


def test_the_recipe_does_not_change_with_the_way_its_job_runs() -> None:
    plain, roomy = dataset().spec, dataset(resources={"limits": {"memory": "8Gi"}}, backoffLimit=5).spec
    other = dataset(split={"seed": 7}).spec
    assert isinstance(plain, DatasetSpec)
    assert isinstance(roomy, DatasetSpec)
    assert isinstance(other, DatasetSpec)
    assert plain.recipe() == roomy.recipe() != other.recipe()


def test_the_first_look_starts_a_job_and_leaves_the_status_for_later() -> None:
    plan = decide(dataset())
    assert plan.start is not None
    assert plan.status == dataset().status


def test_a_published_dataset_needs_nothing_even_when_it_is_suspended() -> None:
    seen = published()
    assert is_published(seen)
    again = decide(seen)
    assert again.start is None
    assert again.status == seen.status
    suspended = dataset(suspend=True).model_copy(update={"status": seen.status})
    held = decide(suspended)
    assert held.start is None
    assert is_published(after(suspended, held))
    assert reason(after(suspended, held), "Progressing") == "Suspended"


def test_an_edit_of_the_recipe_keeps_the_variants_until_the_new_ones_are_there() -> None:
    before = published().status
    edited = dataset(variants=[{"name": "v1"}]).model_copy(update={"status": before})
    assert not is_published(edited)
    loading = after(edited, decide(edited, [job()], [pod()]), 2)
    assert reason(loading) == "Loading"
    assert loading.status.variants == before.variants


def test_a_failure_stays_until_the_spec_is_edited_and_then_gets_another_attempt() -> None:
    text = failed(FailureClass.DATA, "no column x")
    jobs, pods = [broken()], [ended(exit_code=11, message=text)]
    gone_wrong = after(dataset(), decide(dataset(), jobs, pods))
    assert reason(gone_wrong) == "Data"
    assert reason(gone_wrong, "Stalled") == "Data"
    assert decide(gone_wrong).start is None, "not even when the Job is gone"
    edited = after(gone_wrong, Plan(gone_wrong.status), generation=2)
    step = StepFacts(now=NOW, pauses=Pauses(10, 300), jobs=tuple(jobs), pods=tuple(pods))
    assert recorded_attempt(gone_wrong, DatasetFacts(step=step)) == 1
    assert recorded_attempt(edited, DatasetFacts(step=step)) == 2
    plan = decide(edited, jobs, pods)
    assert plan.start is not None
    assert plan.start.attempt == 2


def test_a_spec_that_cannot_be_read_is_invalid_with_its_fields_and_starts_nothing() -> None:
    seen = dataset(variants=[{"name": "v2", "from": "v1"}])
    plan = decide(seen)
    told = after(seen, plan)
    assert plan.start is None
    assert reason(told) == "InvalidSpec"
    found = find_condition(told.status.conditions, "Ready")
    assert found is not None
    assert "v2 starts from v1, which is not an earlier variant" in found.message


def test_a_refusal_that_may_pass_is_looked_at_again_and_a_final_one_is_not() -> None:
    passing = decide(dataset(), refusal=Refusal("Quota", "no more Jobs", final=False))
    assert passing.after is not None
    assert reason(after(dataset(), passing)) == "Quota"
    final = decide(dataset(), refusal=Refusal("InvalidSpec", "too large", final=True))
    told = after(dataset(), final)
    assert reason(told, "Stalled") == "InvalidSpec"
    assert decide(told).start is None


def test_the_status_stays_within_its_size_with_all_variants() -> None:
    names = [f"variant-number-{number:02d}-of-many" for number in range(20)]
    seen = dataset(variants=[{"name": name} for name in names])
    told = after(seen, decide(seen, [complete()], [ended(message=loaded(*names))]))
    assert len(told.status.variants) == 20
    assert len(told.status.model_dump_json(by_alias=True)) < 16 * 1024
    assert len(told.status.summary or "") <= 512
