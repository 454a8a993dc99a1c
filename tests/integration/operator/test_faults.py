"""What goes wrong around the operator: it is killed, told lies, left alone or robbed of its Lease, and still ends right."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelyard_api.contract.progress import StepProgress
from modelyard_api.v1alpha1.tuning import TuningProgress
from tests.integration.operator.conftest import PAGES_PORT, Project
from tests.integration.operator.test_dataset_steps import page
from tests.integration.operator.test_tuning import HELPED, TUNING
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import DATASET, LEASE, TRAINING_JOB, Kind, KubeApi
from tests.support.operating import EndedError, Kubelet, Operator, condition, empty, install, running_operator
from tests.support.proxy import Fault, Proxy, Seen, proxied
from tests.support.resources import dataset, loaded, trained, training_job
from tests.support.waiting import until

NAMESPACE = "faults"
PLATFORM = "faults-platform"


@dataclass(frozen=True)
class Bench:
    """A project whose operator sees the API server through a proxy."""

    plane: ControlPlane
    directory: Path
    project: Project
    proxy: Proxy

    def operator(
        self,
        settings: Mapping[str, str] | None = None,
        on_start: Callable[[Operator], None] = lambda _: None,
    ) -> AbstractContextManager[Operator]:
        """Another life of the operator, always under the same identity."""
        given = {
            "NAMESPACE": PLATFORM,
            "IDENTITY": "the-one",
            "KUBECONFIG": str(self.proxy.kubeconfig),
            **(settings or {}),
        }
        return running_operator(self.plane, self.directory, [NAMESPACE], given, on_start)


@pytest.fixture
def bench(control_plane: ControlPlane, kube: KubeApi, tmp_path: Path) -> Iterator[Bench]:
    install(kube, [NAMESPACE, PLATFORM])
    project = Project(kube, NAMESPACE, Kubelet(kube, NAMESPACE))
    with proxied(control_plane, tmp_path) as proxy:
        yield Bench(control_plane, tmp_path, project, proxy)
    empty(kube, NAMESPACE)
    kube.delete(LEASE, PLATFORM, "modelyard-operator")


def test_killed_before_and_after_each_of_its_writes_it_makes_everything_once(bench: Bench) -> None:
    project, killer = bench.project, Killer()
    kubelet = Kubelet(project.api, NAMESPACE)
    project.apply(dataset("houses", NAMESPACE))
    project.apply(training_job("forest", NAMESPACE))

    def reason(kind: Kind, name: str, type_: str) -> str:
        found = condition(project.api.read(kind, NAMESPACE, name), type_)
        return str(found.get("reason", ""))

    def ended() -> bool:
        return reason(TRAINING_JOB, "forest", "Succeeded") == "Completed"

    def step() -> bool:
        """The kubelet's part, once the operator has told what it made."""
        if reason(DATASET, "houses", "Ready") == "Loading":
            kubelet.succeed(project.job("dataset", "houses"), loaded())
        if reason(TRAINING_JOB, "forest", "Succeeded") == "JobCreated":
            kubelet.run(project.job("training-job", "forest"))
        if reason(TRAINING_JOB, "forest", "Succeeded") == "Training":
            kubelet.succeed(project.job("training-job", "forest"), trained())
        return ended()

    bench.proxy.rule = killer
    lives = 0
    while not ended():
        lives += 1
        assert lives < 60
        with suppress(EndedError), bench.operator(on_start=killer.aim) as operator:
            until(lambda: step() or operator.process.poll() is not None, 60, "progress or an end")
    done = project.training("forest", "Completed")
    assert done["status"]["attempt"] == 1
    assert len(project.jobs("dataset", "houses")) == 1
    assert len(project.jobs("training-job", "forest")) == 1
    assert killer.kills >= 12, "two kills for each of two Jobs and at least four statuses"


def test_killed_before_and_after_each_of_its_writes_it_tunes_with_one_job(bench: Bench) -> None:
    project, killer = bench.project, Killer()
    kubelet = Kubelet(project.api, NAMESPACE)
    with bench.operator():
        project.load_houses()
    project.apply(training_job("forest", NAMESPACE, tuning=TUNING))

    def reason() -> str:
        found = condition(project.api.read(TRAINING_JOB, NAMESPACE, "forest"), "Succeeded")
        return str(found.get("reason", ""))

    def step() -> bool:
        """The kubelet's part, once the operator has told what it made."""
        if reason() == "JobCreated":
            for index in (0, 1):
                kubelet.worker(index).run(project.job("training-job", "forest"))
        if reason() == "Training":
            kubelet.worker(1).succeed(project.job("training-job", "forest"), HELPED)
            kubelet.worker(0).succeed(project.job("training-job", "forest"), trained())
        return reason() == "Completed"

    bench.proxy.rule = killer
    lives = 0
    while reason() != "Completed":
        lives += 1
        assert lives < 60
        with suppress(EndedError), bench.operator(on_start=killer.aim) as operator:
            until(lambda: step() or operator.process.poll() is not None, 60, "progress or an end")
    assert project.training("forest", "Completed")["status"]["attempt"] == 1
    assert len(project.jobs("training-job", "forest")) == 1
    assert killer.kills >= 8, "two kills for the Job and at least three statuses"


def test_trials_that_went_on_without_an_operator_are_told_and_ended_by_the_next(bench: Bench) -> None:
    project, settings = bench.project, {"PROGRESS_PORT": str(PAGES_PORT)}
    with bench.operator(settings) as first:
        project.load_houses()
        project.apply(training_job("forest", NAMESPACE, tuning=TUNING))
        job = project.job("training-job", "forest")
        with page(trials(20)):
            for index in (0, 1):
                project.kubelet.worker(index).run(job, "127.0.0.1")
            until(lambda: told(project) == 20, 30, "twenty trials in the status")
        first.kill()
    with page(trials(45)), bench.operator(settings) as second:
        until(lambda: told(project) == 45, 30, "trials of the time without an operator")
        second.kill()
    project.kubelet.worker(1).succeed(job, HELPED)
    project.kubelet.worker(0).succeed(job, trained("3", rmse=0.4))
    with bench.operator(settings):
        done = project.training("forest", "Completed")
    assert (done["status"]["attempt"], done["status"]["model"]["version"]) == (1, "3")
    assert len(project.jobs("training-job", "forest")) == 1


def trials(completed: int) -> StepProgress:
    """What a worker says of itself."""
    tuning = TuningProgress(percent=completed, trials_completed=completed, trials_running=2)
    return StepProgress(phase="Tuning", done=0, since=datetime.now(UTC), tuning=tuning)


def told(project: Project) -> int:
    """Trials that the status knows of."""
    seen = project.api.read(TRAINING_JOB, NAMESPACE, "forest") or {}
    found: int = seen.get("status", {}).get("progress", {}).get("trialsCompleted", 0)
    return found


def test_a_status_that_meets_conflicts_and_errors_is_right_in_the_end(bench: Bench) -> None:
    counts: Counter[str] = Counter()

    def rule(seen: Seen) -> Fault | None:
        if seen.is_write and seen.path.endswith("/status"):
            counts[seen.path] += 1
            faults = {1: 409, 2: 500, 3: 409, 4: 429}
            return Fault(status=faults[counts[seen.path]]) if counts[seen.path] in faults else None
        return None

    bench.proxy.rule = rule
    with bench.operator():
        bench.project.load_houses()
        bench.project.apply(training_job("forest", NAMESPACE))
        bench.project.training("forest", "JobCreated")
        assert len(bench.project.jobs("training-job", "forest")) == 1


def test_what_no_event_told_of_is_found_by_the_resync(bench: Bench) -> None:
    bench.proxy.rule = lambda seen: Fault(silent=True) if seen.is_watch else None
    with bench.operator({"RESYNC_SECONDS": "1"}):
        bench.project.load_houses()
        bench.project.apply(training_job("forest", NAMESPACE))
        bench.project.kubelet.succeed(bench.project.job("training-job", "forest"), trained())
        bench.project.training("forest", "Completed")


def test_nothing_is_written_at_rest(bench: Bench) -> None:
    with bench.operator({"RESYNC_SECONDS": "1"}):
        bench.project.load_houses()
        bench.project.apply(training_job("forest", NAMESPACE))
        bench.project.apply(training_job("waiting", NAMESPACE, datasetRef={"name": "none", "variant": "v1"}))
        bench.project.kubelet.succeed(bench.project.job("training-job", "forest"), trained())
        bench.project.training("forest", "Completed")
        bench.project.training("waiting", "WaitingForDataset")
        resyncs = _Lists()
        bench.proxy.rule = resyncs
        until(lambda: resyncs.count >= 1)
        before = len(bench.proxy.writes)
        until(lambda: resyncs.count >= 4)
        assert bench.proxy.writes[before:] == []


def test_an_operator_that_lost_its_lease_ends_and_writes_nothing_more(bench: Bench) -> None:
    with bench.operator({"LEASE__RETRY": "0.2"}) as operator:
        bench.project.load_houses()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": "another", "renewTime": now, "leaseDurationSeconds": 15}
        answer = bench.project.api.merge(LEASE, PLATFORM, "modelyard-operator", {"spec": spec})
        assert answer.is_success, answer.text
        assert operator.process.wait(30) == 1
        before = len(bench.proxy.writes)
        bench.project.apply(training_job("forest", NAMESPACE))
        assert bench.proxy.writes[before:] == []
        assert "the Lease was taken by another" in operator.log.read_text()


def test_a_second_operator_waits_for_the_lease_and_takes_over(bench: Bench) -> None:
    fast = {"LEASE__DURATION": "3", "LEASE__RENEW_DEADLINE": "2", "LEASE__RETRY": "0.5"}
    with bench.operator(fast) as first:
        bench.project.load_houses()
        first.kill()
        started = time.monotonic()
        with bench.operator({**fast, "IDENTITY": "the-other"}):
            assert time.monotonic() - started >= 2
            bench.project.apply(training_job("forest", NAMESPACE))
            bench.project.training("forest", "JobCreated")


def test_it_lives_through_a_restart_of_the_api_server(bench: Bench, control_plane: ControlPlane) -> None:
    with bench.operator() as operator:
        bench.project.load_houses()
        control_plane.stop_apiserver()
        control_plane.start_apiserver()
        bench.project.apply(training_job("forest", NAMESPACE))
        bench.project.training("forest", "JobCreated")
        assert operator.process.poll() is None
        assert operator.get("/healthz").is_success


def test_an_orderly_end_takes_seconds_and_gives_the_lease_away(bench: Bench) -> None:
    with bench.operator() as operator:
        bench.project.apply(dataset("houses", NAMESPACE))
        bench.project.await_reason(DATASET, "houses", "Ready", "Loading")
        assert operator.stop() == 0
        lease = bench.project.api.read(LEASE, PLATFORM, "modelyard-operator") or {}
        assert lease["spec"].get("holderIdentity", "") == ""


class Killer:
    """Kills before the first try of each write and after the second, which is the one that happens."""

    def __init__(self) -> None:
        self._tries: Counter[Seen] = Counter()
        self._victim: Operator | None = None
        self.kills = 0

    def aim(self, victim: Operator) -> None:
        """The process to kill next."""
        self._victim = victim

    def __call__(self, seen: Seen) -> Fault | None:
        if not seen.is_write:
            return None
        tried = self._tries[seen] = self._tries[seen] + 1
        if tried == 1:
            return Fault(before=self._kill)
        if tried == 2:
            if seen.path.endswith("/status"):
                self._tries[seen] = 0  # it is written: the next one is another
            return Fault(after=self._kill)
        return None

    def _kill(self) -> None:
        self.kills += 1
        if self._victim is not None:
            self._victim.process.kill()


class _Lists:
    """Counts rounds of the resync, by one of its lists."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, seen: Seen) -> Fault | None:
        if seen.method == "GET" and not seen.is_watch and seen.path.endswith("/trainingjobs"):
            self.count += 1
        return None
