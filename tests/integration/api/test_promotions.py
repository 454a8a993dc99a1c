"""What a real API server says about promotions that mean nothing."""

import pytest

from tests.integration.api.conftest import NAMESPACE
from tests.integration.api.test_acceptance import with_spec
from tests.support.kubeapi import OWN_KINDS, Document, KubeApi
from tests.support.resources import promotion

PROMOTION = promotion("housing", NAMESPACE)

REFUSED = [
    (
        "two kinds of candidate",
        with_spec(PROMOTION, "candidate", {"latest": {}, "version": "7"}),
        "exactly one of latest, version, trainingJob, best must be set",
    ),
    ("version 0", with_spec(PROMOTION, "candidate", {"version": "0"}), "should match"),
    (
        "a gate without a bound",
        with_spec(PROMOTION, "gates", [{"metric": {"name": "r2"}}]),
        "min or max must be set",
    ),
    (
        "a bound as a number",
        with_spec(PROMOTION, "gates", [{"metric": {"name": "r2", "min": 0.7}}]),
        "expected string",
    ),
    (
        "a query without a bound",
        with_spec(PROMOTION, "gates", [{"prometheus": {"query": "up"}}]),
        "min or max must be set",
    ),
    (
        "a query without words",
        with_spec(PROMOTION, "gates", [{"prometheus": {"query": "", "min": "1"}}]),
        "should be at least 1 chars long",
    ),
    (
        "two kinds of gate in one",
        with_spec(PROMOTION, "gates", [{"signature": {}, "environment": {}}]),
        "exactly one of metric, improvement, signature, environment, prometheus must be set",
    ),
    (
        "a confidence of our own",
        with_spec(PROMOTION, "gates", [{"improvement": {"metric": "rmse", "confidence": "0.5"}}]),
        'supported values: "0.80", "0.90", "0.95", "0.99"',
    ),
    (
        "an approval by nobody",
        with_spec(PROMOTION, "approval", "Never"),
        'supported values: "Automatic", "Manual"',
    ),
    (
        "a canary without steps",
        with_spec(PROMOTION, "rollout", {"canary": {"steps": []}}),
        "at least 1 items",
    ),
    (
        "a canary of 0 percent",
        with_spec(PROMOTION, "rollout", {"canary": {"steps": [{"percent": 0, "seconds": 60}]}}),
        "greater than or equal to 1",
    ),
    (
        "more errors than requests",
        with_spec(
            PROMOTION,
            "rollout",
            {"canary": {"steps": [{"percent": 10, "seconds": 60}], "maxErrorPercent": "101"}},
        ),
        "at least 0 and at most 100",
    ),
    (
        "a latency of nothing",
        with_spec(
            PROMOTION,
            "rollout",
            {"canary": {"steps": [{"percent": 10, "seconds": 60}], "maxLatencySeconds": "0"}},
        ),
        "must be more than 0 seconds",
    ),
    (
        "a canary that is a shadow",
        with_spec(
            PROMOTION,
            "rollout",
            {
                "canary": {"steps": [{"percent": 10, "seconds": 60}]},
                "shadow": {"seconds": 60, "maxDisagreementPercent": "5"},
            },
        ),
        "exactly one of immediate, canary, shadow must be set",
    ),
    (
        "a tolerance of more than the number",
        with_spec(
            PROMOTION,
            "rollout",
            {"shadow": {"seconds": 60, "maxDisagreementPercent": "5", "tolerance": "1.5"}},
        ),
        "at least 0 and at most 1",
    ),
    (
        "a rollback without a limit",
        with_spec(PROMOTION, "rollback", {"windowSeconds": 60}),
        "onErrorPercent, onLatencySeconds, onDrift or onQuery must be set",
    ),
    (
        "fewer replicas at most than at least",
        with_spec(PROMOTION, "serving", {"replicas": {"min": 3, "max": 2}}),
        "max must be at least min",
    ),
    (
        "a load to aim at without a choice",
        with_spec(PROMOTION, "serving", {"replicas": {"min": 3, "targetCpuPercent": 50}}),
        "targetCpuPercent needs max",
    ),
    (
        "an autoscaler without a request to compare with",
        with_spec(
            PROMOTION,
            "serving",
            {"replicas": {"min": 1, "max": 2}, "resources": {"requests": {"memory": "1Gi"}}},
        ),
        "replicas.max needs resources.requests.cpu",
    ),
    (
        "no replicas",
        with_spec(PROMOTION, "serving", {"replicas": {"min": 0}}),
        "greater than or equal to 1",
    ),
]


@pytest.mark.parametrize(
    ("document", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_promotion_that_means_nothing_is_refused_in_words(
    kube: KubeApi, document: Document, words: str
) -> None:
    answer = kube.attempt(OWN_KINDS["ModelPromotion"], document, dry_run=True)
    assert not answer.is_success
    assert words in answer.json()["message"], answer.json()["message"]
