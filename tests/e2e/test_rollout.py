"""A canary on a cluster: requests all the time, and a candidate that takes charge step by step."""

import pytest

from tests.support.asking import asking
from tests.support.kubeapi import AUTOSCALER, DATASET, DISRUPTION_BUDGET, PROMOTION, TRAINING_JOB
from tests.support.manifests import PROJECT, Project, dataset, promotion, training_job
from tests.support.platform import Platform
from tests.support.waiting import until

# With its fixtures, on a machine that does other things too.
pytestmark = pytest.mark.timeout(900)

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
CANARY = {"canary": {"steps": [{"percent": 20, "seconds": 5}, {"percent": 60, "seconds": 5}]}}
STAGE = "ladder-production"


@pytest.fixture(scope="module")
def project(platform: Platform) -> Project:
    project = Project(platform.api, PROJECT)
    project.apply(dataset("iris"))
    project.await_true(DATASET, "iris", "Ready")
    return project


def test_a_canary_takes_charge_step_by_step_without_a_failed_request(
    platform: Platform, project: Project
) -> None:
    project.apply(training_job("ladder-one", register={"modelName": "ladder"}))
    project.await_true(TRAINING_JOB, "ladder-one", "Succeeded")
    project.apply(promotion(STAGE, "ladder", rollout=CANARY))
    project.await_true(PROMOTION, STAGE, "Ready")
    assert platform.api.read(DISRUPTION_BUDGET, PROJECT, STAGE)
    with platform.server(PROJECT, STAGE) as client, asking(client, FLOWER) as statuses:
        project.apply(training_job("ladder-two", register={"modelName": "ladder"}))
        project.await_true(TRAINING_JOB, "ladder-two", "Succeeded")
        model = project.training_job("ladder-two").status.model
        assert model

        def percent() -> int:
            candidate = project.promotion(STAGE).status.candidate
            rollout = candidate.rollout if candidate and candidate.version == model.version else None
            return rollout.percent if rollout else 0

        def in_charge() -> bool:
            found = project.promotion(STAGE).status.champion
            return found is not None and found.version == model.version

        until(lambda: percent() == 20, 120, "the first step")
        until(lambda: percent() == 60, 60, "the second step")
        until(in_charge, 60, "the newer champion")
    assert len(statuses) > 50
    assert set(statuses) == {200}
    status = project.promotion(STAGE).status
    assert status.candidate
    assert status.candidate.rollout
    assert status.candidate.rollout.counts.requests > 0
    assert status.candidate.rollout.counts.errors == 0
    assert status.last_swap
    assert status.last_swap.errors == 0


def test_an_autoscaler_of_the_servers_comes_and_goes_with_the_spec(
    platform: Platform, project: Project
) -> None:
    def scaler() -> object:
        return platform.api.read(AUTOSCALER, PROJECT, STAGE)

    bounds = {"replicas": {"min": 1, "max": 2}}
    project.apply(promotion(STAGE, "ladder", rollout=CANARY, serving=bounds))
    until(scaler, 60, "an autoscaler")
    project.apply(promotion(STAGE, "ladder", rollout=CANARY))
    until(lambda: scaler() is None, 60, "no autoscaler")
    project.await_true(PROMOTION, STAGE, "Ready")
