"""Small steps of a Dataset in the pod that is always there: no Job, and the same versions as from Jobs."""

from collections.abc import Iterator

import pytest

from modelyard_api.labels import DATASET as DATASET_LABEL
from tests.support.kubeapi import DATASET
from tests.support.manifests import PROJECT, Project, dataset
from tests.support.platform import Platform, jobs_of
from tests.support.releases import Helm
from tests.support.waiting import until

# With its fixtures, on a machine that does other things too.
pytestmark = pytest.mark.timeout(900)

BY_HAND = {"initialPercent": "40", "incrementPercent": "30"}
SHARED, ALONE = "shares-a-pod", "has-its-own-pods"
OWN = {"limits": {"memory": "1Gi"}}
"""What a Dataset asks of its pods, the shared one cannot give."""


@pytest.fixture
def project(platform: Platform, helm: Helm) -> Iterator[Project]:
    """The project, while loads of some thousand rows are handed over."""

    def hand_over(most: int) -> None:
        helm.upgrade(platform, {"pods": {"loader": {"warm": {"maxRows": most, "beginSeconds": 60}}}})
        platform.await_operator()

    hand_over(5_000)
    yield Project(platform.api, PROJECT)
    hand_over(0)


def test_a_small_step_makes_no_job_and_publishes_what_a_job_would(
    platform: Platform, project: Project
) -> None:
    project.apply(dataset(SHARED, load=BY_HAND))
    project.apply(dataset(ALONE, load=BY_HAND, resources=OWN))
    change = {"metadata": {"annotations": {"modelyard.dev/load-now": "please"}}}
    for name in (SHARED, ALONE):
        project.await_reason(DATASET, name, "Progressing", "WaitingForStep")
        assert platform.api.merge(DATASET, PROJECT, name, change).is_success

    def second(name: str) -> tuple[int, str]:
        status = project.dataset(name).status
        assert status.load is not None
        assert status.load.sequence == 2
        (variant,) = status.variants
        return status.load.rows, variant.digest

    shared = until(lambda: second(SHARED), 120, "the step in the shared pod")
    assert shared == until(lambda: second(ALONE), 120, "the step in a pod of its own")
    jobs = {name: len(jobs_of(platform.api, PROJECT, DATASET_LABEL, name)) for name in (SHARED, ALONE)}
    assert jobs == {SHARED: 1, ALONE: 2}
