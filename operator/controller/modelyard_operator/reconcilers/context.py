"""What every reconcile is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from modelyard_api.quantities import bytes_of
from modelyard_operator.cluster.applying import AppliedMemory
from modelyard_operator.cluster.client import Cluster
from modelyard_operator.cluster.events import EventRecorder
from modelyard_operator.cluster.store import Store
from modelyard_operator.decisions.attempts import Pauses
from modelyard_operator.decisions.memory import Growth
from modelyard_operator.promotion_metrics import PromotionMetrics
from modelyard_operator.resources.step_job import JobDefaults
from modelyard_operator.serving.client import Servers
from modelyard_operator.serving.pages import Pages
from modelyard_operator.serving.prometheus import Prometheus
from modelyard_operator.serving.warm import WarmLoaders
from modelyard_operator.settings import Settings
from modelyard_operator.step_metrics import StepMetrics
from modelyard_operator.tracking.client import Tracking
from modelyard_operator.tracking.earlier import EarlierRuns


@dataclass(frozen=True)
class Context:
    """The parts, put together once when the process starts."""

    settings: Settings
    cluster: Cluster
    store: Store
    applied: AppliedMemory
    events: EventRecorder
    tracking: Tracking
    earlier: EarlierRuns
    servers: Servers
    prometheus: Prometheus
    pages: Pages
    warm_loaders: WarmLoaders
    step_metrics: StepMetrics
    promotion_metrics: PromotionMetrics
    clock: Callable[[], datetime]

    async def close(self) -> None:
        """Ends all connections."""
        await self.tracking.close()
        await self.servers.close()
        await self.prometheus.close()
        await self.pages.close()
        await self.warm_loaders.close()
        await self.cluster.close()

    @property
    def pauses(self) -> Pauses:
        """Pauses between attempts."""
        return Pauses(first=self.settings.retry.first, limit=self.settings.retry.limit)

    @property
    def growth(self) -> Growth:
        """How a memory limit is raised."""
        given = self.settings.more_memory
        return Growth(given.factor, bytes_of(given.limit) or 0)

    @property
    def job_defaults(self) -> JobDefaults:
        """What is the same for all Jobs."""
        return JobDefaults(
            secret=self.settings.project_secret,
            pull_policy=self.settings.image_pull_policy,
            ttl_seconds=self.settings.job_ttl_seconds,
        )


@dataclass(frozen=True)
class Next:
    """When the same object is to be looked at again, besides when something happens to it."""

    after: float | None = None
    """Seconds; 0 lets it wait until nothing else happens."""


DONE = Next()
AGAIN = Next(after=0)
