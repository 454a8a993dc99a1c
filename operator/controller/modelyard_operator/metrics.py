"""What the operator tells Prometheus about itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modelyard_operator.promotion_metrics import PromotionMetrics
from modelyard_operator.step_metrics import StepMetrics

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "modelyard_operator_reconciles_total",
            "Reconciles by kind and result: done, retry (asked for another look) or error",
            ["kind", "result"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "modelyard_operator_reconcile_seconds",
            "Duration of a reconcile",
            ["kind"],
            buckets=_FAST,
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "modelyard_operator_queue_depth", "Objects that wait for a worker", registry=self.registry
        )
        self.event_to_action_seconds = Histogram(
            "modelyard_operator_event_to_action_seconds",
            "From the moment an object was put into the queue to the end of its reconcile",
            ["kind"],
            buckets=_FAST,
            registry=self.registry,
        )
        self.objects = Gauge(
            "modelyard_operator_objects",
            "Resources by kind and by status and reason of their summary condition",
            ["kind", "condition", "status", "reason"],
            registry=self.registry,
        )
        self.loop_lag_seconds = Gauge(
            "modelyard_operator_loop_lag_seconds",
            "How late the event loop was when it last woke a timer",
            registry=self.registry,
        )
        self.steps = StepMetrics(self.registry)
        self.promotions = PromotionMetrics(self.registry)
        self.leader = Gauge(
            "modelyard_operator_leader", "1 while this process holds the Lease", registry=self.registry
        )
