"""When an installation is complete, and when waiting for it is of no use."""

from typing import Any

import pytest

from bringup.settling import Workloads


def deployment(ready: int, generation: int = 1, observed: int = 1, replicas: int = 1) -> dict[str, Any]:
    status = {
        "observedGeneration": observed,
        "replicas": replicas,
        "readyReplicas": ready,
        "updatedReplicas": ready,
    }
    metadata = {"name": "operator", "generation": generation}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1}, "status": status}


def pod(reason: str, restarts: int) -> dict[str, Any]:
    container = {"name": "main", "restartCount": restarts, "state": {"waiting": {"reason": reason}}}
    return {"kind": "Pod", "metadata": {"name": "a"}, "status": {"containerStatuses": [container]}}


def test_a_deployment_whose_pods_are_ready_is_settled() -> None:
    assert Workloads((deployment(ready=1),)).unsettled == []


@pytest.mark.parametrize(
    "item",
    [deployment(ready=0), deployment(ready=1, generation=2), deployment(ready=1, replicas=2)],
    ids=["not ready", "not yet seen", "the old pod still there"],
)
def test_a_deployment_that_is_not_there_yet_is_named(item: dict[str, Any]) -> None:
    assert Workloads((item,)).unsettled == ["deployment/operator"]


def test_a_job_is_settled_when_it_has_succeeded() -> None:
    job = {"kind": "Job", "metadata": {"name": "provision"}, "spec": {}, "status": {"active": 1}}
    assert Workloads((job,)).unsettled == ["job/provision"]
    assert Workloads(({**job, "status": {"succeeded": 1}},)).unsettled == []


def test_a_pod_that_may_still_start_is_waited_for() -> None:
    assert Workloads((pod("ContainerCreating", 0), pod("CrashLoopBackOff", 2))).hopeless is None


def test_a_pod_that_ends_again_and_again_is_hopeless() -> None:
    named, why = Workloads((pod("CrashLoopBackOff", 5),)).hopeless or ("", "")
    assert named == "a"
    assert "5 restarts of container main" in why


def test_a_pod_without_its_image_is_hopeless_at_once() -> None:
    assert Workloads((pod("ErrImageNeverPull", 0),)).hopeless
