"""What a real API server says about tunings that mean nothing."""

from copy import deepcopy
from typing import Any

import pytest

from tests.integration.api.conftest import NAMESPACE
from tests.integration.api.test_acceptance import with_spec
from tests.support.kubeapi import OWN_KINDS, KubeApi
from tests.support.resources import training_job

KIND = OWN_KINDS["TrainingJob"]
DEPTH = {"parameter": "estimator.max_depth", "integer": {"low": 2, "high": 9}}
RATE = {"parameter": "estimator.rate", "number": {"low": "0.01", "high": "1e1", "log": True}}
KIND_OF = {
    "parameter": "preprocess.a.0.kind",
    "choice": {"values": ["sqrt", 1, None, [1, 2], {"class": "Ridge"}]},
}
WHOLE = {
    "trials": 60,
    "parallelism": 2,
    "sampler": {"tpe": {"seed": 42, "startupTrials": 5}},
    "pruner": {"hyperband": {"reductionFactor": 2}},
    "timeoutSeconds": 900,
    "cpuSeconds": 100,
    "objective": {"metric": "rmse", "folds": 5},
    "space": [DEPTH, RATE, KIND_OF],
    "warmStart": {"trainingJob": "earlier"},
}


def one(parameter: str, **values: object) -> dict[str, Any]:
    return {"space": [{"parameter": parameter, **values}]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trials": 0}, "greater than or equal to 1"),
        ({"trials": 1}, "parallelism must be at most trials"),
        ({"sampler": {"tpe": {}, "random": {}}}, "exactly one of tpe, random, grid, cmaes, gp must be set"),
        ({"pruner": {}}, "exactly one of median, hyperband must be set"),
        ({"objective": {"folds": 1}}, "greater than or equal to 2"),
        ({"objective": {"metric": "R²"}}, "should match"),
        ({"space": []}, "should have at least 1 items"),
        ({"space": [DEPTH, DEPTH]}, "each parameter of space must be named once"),
        (one("max_depth", integer={"low": 1, "high": 2}), "should match"),
        (one("estimator.a"), "exactly one of integer, number, choice must be set"),
        (one("estimator.a", integer={"low": 1, "high": 2}, choice={"values": [1, 2]}), "exactly one of"),
        (one("estimator.a", integer={"low": 2, "high": 2}), "low must be below high"),
        (
            one("estimator.a", integer={"low": 0, "high": 2, "log": True}),
            "low must be above 0 where log is true",
        ),
        (one("estimator.a", integer={"low": 1, "high": 2, "log": True, "step": 1}), "step and log exclude"),
        (one("estimator.a", number={"low": "2", "high": "1e-1"}), "low must be below high"),
        (one("estimator.a", number={"low": 1, "high": "2"}), "expected string"),
        (one("estimator.a", number={"low": "1", "high": "2", "step": "0.0"}), "step must be above 0"),
        (one("estimator.a", choice={"values": [1]}), "should have at least 2 items"),
    ],
)
def test_a_tuning_that_means_nothing_is_refused_in_words(
    kube: KubeApi, change: dict[str, Any], words: str
) -> None:
    document = training_job("tuned", NAMESPACE, tuning={**deepcopy(WHOLE), **change})
    answer = kube.attempt(KIND, document, dry_run=True)
    assert not answer.is_success
    assert words in answer.json()["message"], answer.json()["message"]


def test_a_whole_tuning_is_taken_and_cannot_be_edited(kube: KubeApi) -> None:
    document = training_job("tuned", NAMESPACE, tuning=WHOLE)
    kube.apply(KIND, document)
    other = deepcopy(WHOLE)
    other["space"][2]["choice"]["values"] = ["sqrt", 2]  # type: ignore[index]
    for changed in ({**WHOLE, "trials": 61}, other, None):
        answer = kube.attempt(KIND, with_spec(document, "tuning", changed))
        assert answer.status_code == 422
        assert "tuning is immutable: make a new TrainingJob" in answer.json()["message"]
