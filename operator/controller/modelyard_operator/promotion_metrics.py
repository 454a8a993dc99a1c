"""What the operator tells Prometheus about ModelPromotions."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from modelyard_operator.objects.custom import PromotionObject

_PLACE = ("namespace", "promotion")


class PromotionMetrics:
    """Series of every ModelPromotion that there is; they go with it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._percent = Gauge(
            "modelyard_promotion_candidate_percent",
            "Share of the requests that a candidate on its way is asked, as a canary or as a shadow",
            [*_PLACE, "version"],
            registry=registry,
        )
        self._rollbacks = Counter(
            "modelyard_promotion_rollbacks_total",
            "Versions that had to give way, by the reason of the condition RolledBack",
            [*_PLACE, "reason"],
            registry=registry,
        )
        self._counted: dict[tuple[str, str], set[str]] = {}

    def count_rollback(self, namespace: str, name: str, reason: str) -> None:
        """A version had to give way."""
        self._counted.setdefault((namespace, name), set()).add(reason)
        self._rollbacks.labels(namespace, name, reason).inc()

    def show(self, promotions: Iterable[PromotionObject]) -> None:
        """Sets what the status of each tells, and drops the series of those that are gone."""
        self._percent.clear()
        there = set()
        for promotion in promotions:
            place = (promotion.metadata.namespace, promotion.metadata.name)
            there.add(place)
            candidate = promotion.status.candidate
            if candidate is None or candidate.rollout is None or candidate.refused is not None:
                continue
            if candidate.rollout.step <= candidate.rollout.steps:
                self._percent.labels(*place, candidate.version).set(candidate.rollout.percent)
        for gone in self._counted.keys() - there:
            for reason in self._counted.pop(gone):
                self._rollbacks.remove(*gone, reason)
