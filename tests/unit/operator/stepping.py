"""A Dataset that is taken through its steps, the way reconciler and loader would, without either."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from modelyard_api import labels
from modelyard_api.conditions import Condition, find_condition
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import LoadOutcome, Outcome, VariantOutcome
from modelyard_api.contract.steps import STEP_VARIABLE
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_operator.decisions.attempts import Pauses, StepFacts
from modelyard_operator.decisions.dataset import decide_dataset
from modelyard_operator.decisions.dataset_facts import DatasetFacts, DatasetPlan
from modelyard_operator.decisions.due import Parent
from modelyard_operator.decisions.plan import Refusal
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.steps import Due, Page, References, StepKind
from modelyard_operator.objects.workloads import Job
from modelyard_operator.resources import common
from modelyard_operator.resources.steps import DatasetStep, dataset_step
from modelyard_operator.settings import Settings
from tests.support.resources import failed
from tests.unit.operator.making import NOW, broken, complete, dataset, ended, job, pod, text

PAUSES = Pauses(10, 300)
SETTINGS = Settings(projects=["demo"])


@dataclass
class Story:
    """What is there: the Dataset, the Jobs and pods of the present step, and the time."""

    dataset: DatasetObject
    parent: Parent = None
    circle: str = ""
    page: Page | None = None
    refusal: Refusal | None = None
    outdated: tuple[Job, ...] = ()
    now: Any = NOW
    jobs: list[Job] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    plans: list[DatasetPlan] = field(default_factory=list)
    written: int = 0
    settings: Settings = SETTINGS

    def look(self) -> DatasetPlan:
        """One decision, taken over as the reconciler does."""
        step = StepFacts(
            now=self.now, pauses=PAUSES, jobs=tuple(self.jobs), pods=tuple(self.pods), patient=True
        )
        facts = DatasetFacts(
            step=step,
            outdated=self.outdated,
            bucket="modelyard",
            refusal=self.refusal,
            parent=self.parent,
            circle=self.circle,
            page=self.page,
        )
        plan = decide_dataset(self.dataset, facts)
        self.plans.append(plan)
        if plan.start is None:
            self.written += plan.status.to_wire() != self.dataset.status.to_wire()
            steps = self.dataset.status.steps
            self.dataset = self.dataset.model_copy(update={"status": plan.status})
            if plan.status.steps != steps:
                self.jobs, self.pods = [], []
        return plan

    def settle(self) -> DatasetPlan:
        """Decisions until the Dataset rests or wants a Job."""
        for _ in range(10):
            plan = self.look()
            if plan.start is not None or plan.after != 0:
                return plan
        raise AssertionError("it never comes to rest")

    def begin(self) -> Due:
        """The step that is wanted now, with its Job."""
        plan = self.settle()
        assert plan.start is not None, self.said()
        assert plan.due is not None
        self.jobs.append(self.job(plan.due, plan.start.attempt))
        return plan.due

    def job(self, due: Due, attempt: int) -> Job:
        """The Job that the reconciler makes of a step."""
        assert isinstance(self.dataset.spec, DatasetSpec)
        meta = self.dataset.metadata
        parent = common.Parent("Dataset", meta.namespace, meta.name, meta.uid, meta.generation)
        step = dataset_step(
            DatasetStep(parent, self.dataset.spec, self.dataset.status, due, attempt, References()),
            self.settings,
        )
        made = job(attempt).to_wire()
        made["metadata"]["annotations"][labels.REQUEST] = due.request
        variable = {"name": STEP_VARIABLE, "value": step.model_dump_json(by_alias=True, exclude_none=True)}
        made["spec"]["template"]["spec"] = {"containers": [{"name": "step", "env": [variable]}]}
        return Job.model_validate(made)

    def run(self) -> DatasetPlan:
        """The step's pod is at work."""
        self.pods.append(pod(len(self.jobs)))
        return self.look()

    def end(self, outcome: Outcome) -> DatasetPlan:
        """The step's pod answers, and what follows from it."""
        last = self.jobs.pop()
        attempt = int(last.metadata.annotation(labels.ATTEMPT) or 0)
        done = complete(attempt)
        when = [{"type": "Complete", "status": "True", "lastTransitionTime": text(self.now)}]
        status = done.model_validate({**done.to_wire(), "status": {"conditions": when}}).status
        self.jobs.append(last.model_copy(update={"status": status}))
        self.pods = [ended(attempt, message=outcome.encode().decode())]
        return self.look()

    def fail(self, failure: FailureClass, message: str) -> DatasetPlan:
        """The step's pod fails, a minute ago."""
        last = self.jobs.pop()
        attempt = int(last.metadata.annotation(labels.ATTEMPT) or 0)
        self.jobs.append(last.model_copy(update={"status": broken(attempt).status}))
        self.pods = [*self.pods, ended(attempt, exit_code=20, message=failed(failure, message))]
        return self.look()

    def load(self, **given: Any) -> DatasetPlan:  # noqa: ANN401  fields of an outcome
        """The step that is due, which must be a load, from its Job to its answer."""
        due = self.begin()
        assert due.kind is StepKind.LOAD, due
        return self.end(answer(due, self.names(), **given))

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now = self.now + timedelta(seconds=seconds)

    def annotate(self, key: str, value: str) -> None:
        """A person asks."""
        meta = self.dataset.metadata
        meta = meta.model_copy(update={"annotations": {**meta.annotations, key: value}})
        self.dataset = self.dataset.model_copy(update={"metadata": meta})

    def edit(self, **spec: Any) -> None:  # noqa: ANN401  JSON
        """The spec is another; Jobs of an earlier recipe are none of the present step."""
        before = self.dataset
        meta = before.metadata.model_copy(update={"generation": before.metadata.generation + 1})
        self.dataset = dataset(**spec).model_copy(update={"metadata": meta, "status": before.status})
        if self.dataset.recipe != before.recipe:
            self.jobs, self.pods = [], []

    def names(self) -> list[str]:
        assert isinstance(self.dataset.spec, DatasetSpec)
        return [variant.name for variant in self.dataset.spec.variants]

    def condition(self, type_: str) -> Condition:
        found = find_condition(self.dataset.status.conditions, type_)
        assert found is not None, self.said()
        return found

    def said(self) -> dict[str, tuple[str, str]]:
        """Status and reason of every condition."""
        return {c.type: (str(c.status), c.reason) for c in self.dataset.status.conditions}


def answer(due: Due, names: list[str], **given: Any) -> Outcome:  # noqa: ANN401  fields of an outcome
    """What a loader says of a load."""
    variants = [
        VariantOutcome(
            name=name, rows=due.sequence * 10, columns=9, digest=f"{due.sequence:064x}", manifest="ab" * 32
        )
        for name in names
    ]
    load = LoadOutcome(
        sequence=due.sequence,
        rows=due.sequence * 10,
        percent=due.percent,
        batch_name=f"load-{due.sequence}",
        seconds=1.5,
        source_digest="sha256:" + "1" * 64,
        audit_head="sha256:" + "2" * 64,
        variants=variants,
    )
    return Outcome(load=load.model_copy(update=given))


def story(parent: Parent = None, **spec: Any) -> Story:  # noqa: ANN401  JSON
    """A new Dataset."""
    return Story(dataset(**spec), parent=parent)


def at(seen: Story, **changes: Any) -> Story:  # noqa: ANN401
    """The same, otherwise."""
    return replace(seen, **changes)
