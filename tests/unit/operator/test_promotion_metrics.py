"""What the operator tells Prometheus about rollouts."""

from prometheus_client import CollectorRegistry, generate_latest

from modelyard_api.v1alpha1.model_promotion import CandidateStatus
from modelyard_api.v1alpha1.rollout import RolloutStatus
from modelyard_operator.decisions.rollout import gave_way
from modelyard_operator.promotion_metrics import PromotionMetrics
from tests.unit.operator.making import promotion
from tests.unit.operator.rolling import world


def test_a_version_that_has_to_give_way_is_counted_once_and_with_its_reason() -> None:
    made = world({"canary": {"steps": [{"percent": 10, "seconds": 60}], "maxErrorPercent": "1"}})
    made.counts = lambda number: {"requests": 50, "errors": 50} if number == "2" else {}
    counted: list[str] = []
    for _ in range(10):
        before = made.seen.status
        made.step()
        reason = gave_way(before, made.seen.status)
        counted += [reason] if reason is not None else []
    assert counted == ["TooManyErrors"]


def test_rollouts_and_the_reasons_of_their_ends_are_told_and_go_with_the_promotion() -> None:
    registry = CollectorRegistry()
    metrics = PromotionMetrics(registry)
    rollout = RolloutStatus(step=2, steps=2, percent=50, began="2026-01-01T00:00:00Z")
    candidate = CandidateStatus(version="2", rollout=rollout)
    seen = promotion()
    seen = seen.model_copy(update={"status": seen.status.model_copy(update={"candidate": candidate})})
    metrics.show([seen])
    place = 'namespace="demo",promotion="housing"'
    told = generate_latest(registry).decode()
    assert f'modelyard_promotion_candidate_percent{{{place},version="2"}} 50.0' in told
    metrics.count_rollback("demo", "housing", "TooSlow")
    refused = candidate.model_copy(update={"refused": "it was too slow"})
    metrics.show([seen.model_copy(update={"status": seen.status.model_copy(update={"candidate": refused})})])
    told = generate_latest(registry).decode()
    assert f'modelyard_promotion_rollbacks_total{{{place},reason="TooSlow"}} 1.0' in told
    assert "candidate_percent{" not in told
    metrics.show([])
    assert "housing" not in generate_latest(registry).decode()
