"""Resources that came to their end, hundreds, or thousands in a thorough run: looking at them costs a few lists."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.operator.conftest import Project
from tests.support.controlplane import ControlPlane
from tests.support.copies import copies
from tests.support.http_server import FileServer, Page, serving_files
from tests.support.kubeapi import DATASET, EVENT, JOB, LEASE, TRAINING_JOB, Document, KubeApi
from tests.support.operating import Kubelet, Operator, empty, install, running_operator
from tests.support.proxy import Fault, Proxy, Seen, proxied
from tests.support.resources import trained, training_job
from tests.support.thorough import Sweep
from tests.support.waiting import until

NAMESPACE = "finished"
PLATFORM = "finished-platform"
PER_LIST = 250
COUNTS = (300, 260)
"""TrainingJobs and Datasets: neither fits one list."""
THOROUGH_COUNTS = (1500, 500)
OTHER_LISTS = 10
"""Of a round at most, besides those of the two kinds: one of each other kind."""
MOST_MILLISECONDS = 2.0
MOST_MEBIBYTES = 150.0
_LIST = re.compile(rf"/namespaces/{NAMESPACE}/[a-z]+$")


@dataclass
class Asked:
    """What is read of the project, besides by watches."""

    paths: list[str] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Fault | None:
        if f"/namespaces/{NAMESPACE}/" in seen.path and not seen.is_watch:
            self.paths.append(seen.path)
        return None


@dataclass(frozen=True)
class Finished:
    """A project that holds nothing but finished resources, and who is asked about them."""

    plane: ControlPlane
    directory: Path
    api: KubeApi
    proxy: Proxy
    mlflow: FileServer
    counts: tuple[int, ...]
    """Of each kind, with the one that was copied."""

    @property
    def lists(self) -> int:
        """The most of a round."""
        return sum(math.ceil(count / PER_LIST) for count in self.counts) + OTHER_LISTS

    def state(self) -> dict[str, str]:
        """Resource version of every resource, by uid."""
        items = [*self.api.items(TRAINING_JOB, NAMESPACE), *self.api.items(DATASET, NAMESPACE)]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in items}


@pytest.fixture
def finished(control_plane: ControlPlane, kube: KubeApi, sweep: Sweep, tmp_path: Path) -> Iterator[Finished]:
    counts = THOROUGH_COUNTS if sweep.thorough else COUNTS
    install(kube, [NAMESPACE, PLATFORM])
    with (
        copies(control_plane) as made,
        proxied(control_plane, tmp_path) as proxy,
        serving_files() as mlflow,
    ):
        for kind, document, count in zip(
            (TRAINING_JOB, DATASET), _ended(control_plane, kube, tmp_path), counts, strict=True
        ):
            made.add(kind, document, count)
        yield Finished(control_plane, tmp_path, kube, proxy, mlflow, tuple(count + 1 for count in counts))
        for kind in (TRAINING_JOB, DATASET):
            made.remove_all(kind, NAMESPACE)
    empty(kube, NAMESPACE)
    kube.delete(LEASE, PLATFORM, "modelyard-operator")


def _ended(plane: ControlPlane, kube: KubeApi, directory: Path) -> tuple[Document, Document]:
    """A TrainingJob and a Dataset that came to their end an hour ago, with nothing left of their work."""
    project = Project(kube, NAMESPACE, Kubelet(kube, NAMESPACE))
    with running_operator(plane, directory, [NAMESPACE], {"NAMESPACE": PLATFORM}):
        project.load_houses()
        project.apply(training_job("forest", NAMESPACE))
        project.kubelet.succeed(project.job("training-job", "forest"), trained())
        project.training("forest", "Completed")
    for job in kube.items(JOB, NAMESPACE):
        kube.delete(JOB, NAMESPACE, job["metadata"]["name"])
    until(lambda: not kube.items(JOB, NAMESPACE), 30, "the Jobs being gone")
    then = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = kube.merge(TRAINING_JOB, NAMESPACE, "forest/status", {"status": {"completionTime": then}})
    assert answer.is_success, answer.text
    forest, houses = kube.read(TRAINING_JOB, NAMESPACE, "forest"), kube.read(DATASET, NAMESPACE, "houses")
    assert forest is not None
    assert houses is not None
    return forest, houses


def test_finished_resources_cost_nothing_but_a_few_lists(finished: Finished) -> None:
    before, asked, count_of_all = finished.state(), Asked(), sum(finished.counts)
    assert len(before) == count_of_all
    finished.proxy.rule = asked
    settings = {
        "NAMESPACE": PLATFORM,
        "KUBECONFIG": str(finished.proxy.kubeconfig),
        "RESYNC_SECONDS": "2",
        "MLFLOW__URL": finished.mlflow.url,
        "MLFLOW__PUBLIC_URL": "https://mlflow.example",
    }
    events = len(finished.api.items(EVENT, NAMESPACE))
    with running_operator(finished.plane, finished.directory, [NAMESPACE], settings) as operator:
        until(lambda: looks(operator) >= 2 * count_of_all, 60, "every resource being looked at twice")
        lists, seconds, count = len(asked.paths), operator.processor_seconds, looks(operator)
        until(lambda: looks(operator) >= count + 2 * count_of_all, 60, "two more rounds")
        seconds, count = operator.processor_seconds - seconds, looks(operator) - count
        lists, peak = len(asked.paths) - lists, operator.peak_mebibytes
    assert finished.proxy.writes == []
    assert [path for path in asked.paths if not _LIST.search(path)] == []
    assert finished.mlflow.asked == []
    assert lists <= finished.lists * (count / count_of_all + 1)
    assert seconds / count * 1000 <= MOST_MILLISECONDS
    assert peak <= MOST_MEBIBYTES
    assert finished.state() == before
    assert finished.api.items(JOB, NAMESPACE) == []
    assert len(finished.api.items(EVENT, NAMESPACE)) == events


def test_the_link_to_a_run_follows_when_mlflow_was_away_at_the_end(
    control_plane: ControlPlane, kube: KubeApi, tmp_path: Path
) -> None:
    install(kube, [NAMESPACE, PLATFORM])
    project = Project(kube, NAMESPACE, Kubelet(kube, NAMESPACE))
    with serving_files() as mlflow:
        settings = {
            "NAMESPACE": PLATFORM,
            "RESYNC_SECONDS": "1",
            "MLFLOW__URL": mlflow.url,
            "MLFLOW__PUBLIC_URL": "https://mlflow.example",
        }
        with running_operator(control_plane, tmp_path, [NAMESPACE], settings):
            project.load_houses()
            project.apply(training_job("forest", NAMESPACE))
            project.kubelet.succeed(project.job("training-job", "forest"), trained())
            run = project.training("forest", "Completed")["status"]["run"]
            assert "url" not in run
            found = {"run": {"info": {"run_id": run["id"], "experiment_id": "7"}}}
            place = f"/api/2.0/mlflow/runs/get?run_id={run['id']}"
            mlflow.pages[place] = Page(json.dumps(found).encode())

            def link() -> str:
                seen = kube.read(TRAINING_JOB, NAMESPACE, "forest") or {}
                return str(seen["status"]["run"].get("url", ""))

            page = until(link, 30, "the link")
    assert page == f"https://mlflow.example/#/experiments/7/runs/{run['id']}?workspace={NAMESPACE}"
    empty(kube, NAMESPACE)
    kube.delete(LEASE, PLATFORM, "modelyard-operator")


def looks(operator: Operator) -> int:
    """How often the operator has looked at a resource."""
    text = operator.get("/metrics").text
    counts = re.findall(r"^modelyard_operator_reconciles_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(int(float(count)) for count in counts)
