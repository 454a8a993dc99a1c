"""On a cluster: how long it takes from an apply to a pod at work, one job at a time and many at once.

Needs an installed platform and a Dataset that is ready; the jobs that are made are removed again.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.training.names import MODELYARD
from tests.support.kubeapi import POD, TRAINING_JOB, Document, KubeApi, kube_api
from tests.support.operating import condition
from tests.support.waiting import until

_PERCENTILES = (50, 99)
_AT_WORK_SECONDS = 300.0
_END_SECONDS = 600.0


@dataclass(frozen=True)
class Target:
    """What is trained on, and where."""

    kubeconfig: Path
    namespace: str
    dataset: str
    column: str
    """Target of a regression."""


def single_case() -> str:
    """Name of the case of jobs one after the other."""
    return "one TrainingJob at a time, cluster"


def burst_case(count: int) -> str:
    """Name of the case of jobs at once."""
    return f"{count} TrainingJobs at once, cluster"


def measure(target: Target, count: int) -> Iterator[Figure]:
    """Jobs one after the other while nothing else is done, then as many at once."""
    with kube_api(target.kubeconfig) as api:
        alone = [_waited(api, target, [f"bench-{number}"])[0] for number in range(count)]
        yield from _figures(single_case(), alone)
        together = _waited(api, target, [f"bench-many-{number}" for number in range(count)])
        yield from _figures(burst_case(count), together)


def percentile(values: Sequence[float], percent: int) -> float:
    """Between the values beside it; the value itself where there is one only."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def is_at_work(pods: Sequence[Document]) -> bool:
    """Whether a container of a job's pods runs, or did: a short one may be missed in between."""
    states = [
        status.get("state", {})
        for pod in pods
        for status in pod.get("status", {}).get("containerStatuses", [])
    ]
    return any("running" in state or "terminated" in state for state in states)


def _figures(case: str, seconds: Sequence[float]) -> Iterator[Figure]:
    for percent in _PERCENTILES:
        yield Figure(case, MODELYARD, f"apply to pod running, p{percent}", "s", percentile(seconds, percent))


def _waited(api: KubeApi, target: Target, names: Sequence[str]) -> list[float]:
    """Seconds from each apply to its pod at work; ends when all are done and removed."""
    begun: dict[str, float] = {}
    took: dict[str, float] = {}
    try:
        for name in names:
            begun[name] = time.monotonic()
            api.apply(TRAINING_JOB, _job(name, target))

        def look() -> bool:
            for name in begun.keys() - took.keys():
                label = f"modelyard.dev/training-job={name}"
                if is_at_work(api.items(POD, target.namespace, label)):
                    took[name] = time.monotonic() - begun[name]
            return len(took) == len(names)

        until(look, _AT_WORK_SECONDS, "pods at work")
        for name in names:
            until(lambda own=name: _is_done(api, target.namespace, own), _END_SECONDS, f"the end of {name}")  # type: ignore[misc]
    finally:
        for name in begun:
            api.delete(TRAINING_JOB, target.namespace, name)
    return [took[name] for name in names]


def _is_done(api: KubeApi, namespace: str, name: str) -> bool:
    succeeded = condition(api.read(TRAINING_JOB, namespace, name), "Succeeded")
    if succeeded.get("status") == "False":
        raise RuntimeError(f"{name}: {succeeded['message']}")
    return succeeded.get("status") == "True"


def _job(name: str, target: Target) -> Document:
    return {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": target.namespace},
        "spec": {
            "datasetRef": {"name": target.dataset, "variant": "v1"},
            "task": "Regression",
            "target": target.column,
            "pipeline": {"estimator": {"class": "LinearRegression"}},
            "evaluation": {"primary": "rmse", "plots": "None"},
            "cachePolicy": "Never",
        },
    }
