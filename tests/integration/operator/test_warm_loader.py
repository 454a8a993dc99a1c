"""Small steps in the warm loader's hands, against a real API server; the test is the warm loader and its kubelet."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.warm import STEPS_MAP, WARM_PATH, WarmPage, WarmState, WarmStep
from modelyard_operator.cluster.credentials import load_credentials
from modelyard_operator.cluster.kinds import CONFIG_MAP as STEPS
from modelyard_operator.cluster.kinds import DATASET as DATASET_KIND
from modelyard_operator.cluster.lease import Leadership, LeaseTimes
from modelyard_operator.cluster.store import Key
from modelyard_operator.handlers.lifecycle import assemble
from modelyard_operator.reconcilers.dataset import reconcile_dataset
from modelyard_operator.settings import Settings
from tests.integration.operator.conftest import Project
from tests.integration.operator.test_dataset_steps import answer, await_load, read
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import CONFIG_MAP, DATASET, POD, Document, KubeApi
from tests.support.operating import Kubelet, Operator, condition, empty, install, running_operator
from tests.support.pages import served_page
from tests.support.resources import dataset, failed
from tests.support.waiting import until

NAME = "warm"
BY_HAND = {"initialPercent": "40", "incrementPercent": "30"}
MANAGED = {"app.kubernetes.io/managed-by": "modelyard"}


ANY = LeaseTimes(15, 10, 2)


class Free(Leadership):
    """Of a process that may write without a Lease, as the only one that is left."""

    def check(self) -> None:
        return


@dataclass
class Warm:
    """A warm loader that begins and ends what it is told to."""

    project: Project
    live: Callable[[], Operator]
    """Begins a life of the operator."""
    operator: Operator
    states: dict[str, WarmState] = field(default_factory=dict)

    def restart(self) -> None:
        """The operator is killed and lives again."""
        self.operator.kill()
        self.operator = self.live()

    def page(self) -> WarmPage:
        return WarmPage(steps=dict(self.states))

    def handed(self) -> dict[str, WarmStep]:
        found = self.project.api.read(CONFIG_MAP, self.project.namespace, STEPS_MAP) or {}
        return {name: WarmStep.model_validate_json(text) for name, text in found.get("data", {}).items()}

    def take(self, sequence: int) -> str:
        """Name of the step that makes this load, once it is handed over."""

        def look() -> str | None:
            for name, step in self.handed().items():
                if step.step.load is not None and step.step.load.sequence == sequence:
                    return name
            return None

        return until(look, 30, f"load {sequence} being handed over")

    def begin(self, name: str) -> None:
        handed = self.handed()[name].handed_at
        self.states[name] = WarmState(handed_at=handed, begun_at=datetime.now(UTC))

    def end(self, name: str, message: str, exit_code: int = 0) -> None:
        given = {"ended_at": datetime.now(UTC), "message": message, "exit_code": exit_code}
        self.states[name] = self.states[name].model_copy(update=given)

    def until_empty(self) -> None:
        until(lambda: not self.handed(), 30, "the steps being taken out")

    def load(self, name: str = "houses", **spec: Any) -> None:  # noqa: ANN401  JSON
        """A Dataset with its first load, which is a Job, since nothing is known of the source."""
        project = self.project
        project.apply(dataset(name, project.namespace, load=BY_HAND, **spec))
        job, _ = project.step(name, 1)
        project.kubelet.succeed(job, answer(percent="40", rows=40, source_rows=100))
        await_load(project, 1, name)

    def ask(self, value: str, name: str = "houses") -> None:
        self.project.annotate(DATASET, name, "modelyard.dev/load-now", value)


def appear(api: KubeApi, namespace: str) -> None:
    """What the chart makes, with a pod that is ready."""
    steps = {"name": STEPS_MAP, "namespace": namespace, "labels": MANAGED}
    api.apply(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": steps})
    labels = {**MANAGED, "modelyard.dev/warm-loader": "true"}
    metadata = {"name": NAME, "namespace": namespace, "labels": labels}
    spec = {"containers": [{"name": "loader", "image": "any"}]}
    api.apply(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    ready = {"type": "Ready", "status": "True"}
    status = {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "conditions": [ready],
    }
    assert api.merge(POD, namespace, f"{NAME}/status", {"status": status}).is_success


@pytest.fixture(scope="module")
def served(
    control_plane: ControlPlane, kube: KubeApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warm]:
    """An operator that hands over loads of up to 30 rows, and waits for them to begin longer than it takes to start."""
    install(kube, [NAME])
    directory: Path = tmp_path_factory.mktemp("warm")
    settings = {
        "IDENTITY": "the-one",
        "LEASE__NAME": "warm",
        "WARM__MAX_ROWS": "30",
        "WARM__BEGIN_SECONDS": "12",
    }

    def content() -> bytes:
        return warm.page().model_dump_json(by_alias=True).encode()

    def live() -> Operator:
        asked = {**settings, "PROGRESS_PORT": str(port)}
        return lives.enter_context(running_operator(control_plane, directory, [NAME], asked))

    with served_page(WARM_PATH, content) as port, ExitStack() as lives:
        warm = Warm(Project(kube, NAME, Kubelet(kube, NAME)), live, live())
        yield warm


@pytest.fixture
def warm(served: Warm) -> Iterator[Warm]:
    """The warm loader with nothing in its hands."""
    served.states.clear()
    appear(served.project.api, NAME)
    yield served
    empty(served.project.api, NAME)
    served.until_empty()


def test_a_small_step_is_handed_over_answered_and_taken_out_without_a_job(warm: Warm) -> None:
    project = warm.project
    warm.load()
    warm.ask("first")
    name = warm.take(2)
    until(lambda: touched(project) == name, 10, "the pod being touched")
    said = "Load 2, up to 70 %: handed to the warm loader"
    until(lambda: condition(read(project), "Progressing")["message"] == said, 10, "the handing over told")
    warm.begin(name)
    until(lambda: "is at work" in condition(read(project), "Progressing")["message"], 10, "the begin")
    warm.end(name, answer(sequence=2, percent="70", rows=70, source_rows=100))
    status = await_load(project, 2)
    assert (status["load"]["rows"], status["load"]["handledRequest"]) == (70, "first")
    assert "jobName" not in status
    warm.until_empty()
    assert len(project.jobs("dataset", "houses")) == 1


def touched(project: Project) -> str:
    pod: Document = project.api.read(POD, NAME, NAME) or {}
    return str(pod["metadata"].get("annotations", {}).get("modelyard.dev/handed-step", ""))


def test_a_step_that_is_not_begun_in_time_becomes_a_job_and_is_taken_out(warm: Warm) -> None:
    warm.load()
    warm.ask("first")
    name = warm.take(2)
    job, step = warm.project.step("houses", 2)
    assert (job, step["load"]["sequence"]) == (name, 2)
    warm.until_empty()
    warm.project.kubelet.succeed(job, answer(sequence=2, percent="70", rows=70, source_rows=100))
    await_load(warm.project, 2)


def test_a_step_that_was_cut_off_is_tried_again_as_a_job(warm: Warm) -> None:
    warm.load()
    warm.ask("first")
    name = warm.take(2)
    warm.begin(name)
    warm.end(name, failed(FailureClass.EVICTED, "its process was killed"), 1)
    _, step = warm.project.step("houses", 2, attempt=2)
    assert step["load"]["sequence"] == 2
    warm.until_empty()


def test_a_fault_of_the_data_is_told_and_taken_out(warm: Warm) -> None:
    warm.load()
    warm.ask("first")
    name = warm.take(2)
    warm.begin(name)
    warm.end(name, failed(FailureClass.DATA, "two rows have one key"), 11)
    seen = warm.project.await_reason(DATASET, "houses", "Stalled", "Data")
    assert "two rows have one key" in condition(seen, "Progressing")["message"]
    warm.until_empty()
    assert len(warm.project.jobs("dataset", "houses")) == 1


def test_a_larger_step_is_a_job(warm: Warm) -> None:
    project = warm.project
    project.apply(dataset("houses", NAME, load=BY_HAND))
    job, _ = project.step("houses", 1)
    project.kubelet.succeed(job, answer(percent="40", rows=400, source_rows=1000))
    await_load(project, 1)
    warm.ask("first")
    assert project.step("houses", 2)[1]["load"]["percent"] == "70"
    assert warm.handed() == {}


def test_what_is_in_its_hands_goes_with_the_dataset(warm: Warm) -> None:
    warm.load()
    warm.ask("first")
    warm.begin(warm.take(2))
    warm.project.api.delete(DATASET, NAME, "houses")
    warm.until_empty()


def at_work(warm: Warm) -> str:
    """Name of the second load, once the status tells that it is at work."""
    warm.load()
    warm.ask("first")
    name = warm.take(2)
    warm.begin(name)
    until(lambda: "is at work" in condition(read(warm.project), "Progressing")["message"], 10, "the begin")
    return name


def test_an_operator_that_is_killed_finds_the_step_in_its_hands_again(warm: Warm) -> None:
    name = at_work(warm)
    warm.restart()
    warm.end(name, answer(sequence=2, percent="70", rows=70, source_rows=100))
    await_load(warm.project, 2)
    warm.until_empty()
    assert len(warm.project.jobs("dataset", "houses")) == 1


async def test_what_is_in_its_hands_stays_until_the_dataset_is_known_to_be_gone(
    warm: Warm, control_plane: ControlPlane
) -> None:
    """Just after a start a Job of a Dataset, and the steps at hand, may be seen before the Dataset itself is."""
    name = at_work(warm)
    warm.operator.kill()
    machine = assemble(
        Settings(projects=[NAME]), load_credentials(control_plane.kubeconfig), Free(NAME, "", "", ANY)
    )
    context, key = machine.context, Key(DATASET_KIND.name, NAME, "houses")
    handed = await context.cluster.get(STEPS, NAME, STEPS_MAP)
    assert handed is not None
    context.store.put(STEPS, handed)
    try:
        await reconcile_dataset(context, key)
        assert set(warm.handed()) == {name}
        warm.project.api.delete(DATASET, NAME, "houses")
        await reconcile_dataset(context, key)
        assert warm.handed() == {}
    finally:
        await context.close()
        warm.operator = warm.live()


def test_a_step_whose_pod_is_gone_while_it_is_at_work_becomes_a_job(warm: Warm) -> None:
    name = at_work(warm)
    warm.states.clear()
    warm.project.api.delete(POD, NAME, NAME, grace_seconds=0)
    job, step = warm.project.step("houses", 2)
    assert (job, step["load"]["sequence"]) == (name, 2)
    warm.until_empty()
    warm.project.kubelet.succeed(job, answer(sequence=2, percent="70", rows=70, source_rows=100))
    await_load(warm.project, 2)
