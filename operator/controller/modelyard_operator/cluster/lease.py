"""The operator's own Lease: at most one process writes, and it knows when it may not.

As in client-go nobody's clock is compared with another's: a Lease is taken for expired when *this* process has watched
it unchanged for its whole duration, by the monotonic clock.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from modelyard_operator.cluster.client import Cluster
from modelyard_operator.cluster.kinds import LEASE
from modelyard_operator.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    NotHolderError,
    OperatorError,
)
from modelyard_operator.objects.meta import Meta
from modelyard_operator.objects.workloads import Lease, LeaseSpec

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds: how long others wait, how long we go on without a renewal, how often we renew."""

    duration: float
    renew_deadline: float
    retry: float


class Leadership:
    """Keeps the Lease; ``check`` tells before each write whether it is still ours."""

    def __init__(
        self,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times
        self._monotonic = monotonic
        self._renewed: float | None = None
        self._answered = monotonic()
        self._seen: tuple[str | None, float] = (None, 0.0)
        self._acquired = asyncio.Event()

    def check(self) -> None:
        """Raises NotHolderError unless the Lease was renewed within the renew deadline."""
        if self._renewed is None or self._monotonic() - self._renewed > self._times.renew_deadline:
            raise NotHolderError(f"the Lease {self._namespace}/{self._name} is not held")

    @property
    def silence(self) -> float:
        """Seconds since the API server last answered a question about the Lease."""
        return self._monotonic() - self._answered

    async def acquired(self) -> None:
        """Returns once the Lease is ours for the first time."""
        await self._acquired.wait()

    async def keep(self, cluster: Cluster) -> None:
        """Renews for ever. Raises NotHolderError once a Lease that was ours is lost: the process must end then."""
        while True:
            started = self._monotonic()
            try:
                held = await asyncio.wait_for(self._attempt(cluster), self._times.renew_deadline)
            except (TimeoutError, OperatorError) as error:
                _LOG.warning(
                    "the Lease could not be renewed: %s", error if str(error) else type(error).__name__
                )
                held = False
            else:
                self._answered = self._monotonic()
            if held:
                self._renewed = started
                self._acquired.set()
            elif self._renewed is not None:
                self._lost_for_good()
            await asyncio.sleep(self._times.retry)

    async def release(self, cluster: Cluster) -> None:
        """Gives the Lease away, so that a successor need not wait; only at an orderly end."""
        if self._renewed is None:
            return
        self._renewed = None
        lease = await cluster.get(LEASE, self._namespace, self._name)
        if lease is not None and lease.spec.holder_identity == self._identity:
            spec = lease.spec.model_copy(update={"holder_identity": "", "lease_duration_seconds": 1})
            await cluster.replace(LEASE, lease.model_copy(update={"spec": spec}))

    def _lost_for_good(self) -> None:
        holder = self._seen[0] or ""
        if holder.split("|")[0] not in {"", self._identity}:
            raise NotHolderError(f"the Lease was taken by {holder.split('|')[0]}")

    async def _attempt(self, cluster: Cluster) -> bool:
        lease = await cluster.get(LEASE, self._namespace, self._name)
        if lease is None:
            return await self._create(cluster)
        if not self._may_take(lease):
            return False
        ours = lease.spec.holder_identity == self._identity
        transitions = (lease.spec.lease_transitions or 0) + (0 if ours else 1)
        acquired = lease.spec.acquire_time if ours else None
        try:
            renewed = await cluster.replace(
                LEASE, lease.model_copy(update={"spec": self._spec(transitions, acquired)})
            )
        except ConflictError:
            return False
        self._note(renewed)
        return True

    async def _create(self, cluster: Cluster) -> bool:
        meta = Meta(name=self._name, namespace=self._namespace)
        try:
            self._note(await cluster.create_unfenced(LEASE, Lease(metadata=meta, spec=self._spec(0, None))))
        except AlreadyExistsError:
            return False
        except ClusterError as error:
            _LOG.warning("the Lease could not be made: %s", error)
            return False
        return True

    def _may_take(self, lease: Lease) -> bool:
        holder = lease.spec.holder_identity or ""
        self._note(lease)
        if holder in {"", self._identity}:
            return True
        duration = float(lease.spec.lease_duration_seconds or self._times.duration)
        return self._monotonic() - self._seen[1] >= duration

    def _note(self, lease: Lease) -> None:
        record = f"{lease.spec.holder_identity}|{lease.spec.renew_time}"
        if record != self._seen[0]:
            self._seen = (record, self._monotonic())

    def _spec(self, transitions: int, acquired: str | None) -> LeaseSpec:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return LeaseSpec(
            holder_identity=self._identity,
            lease_duration_seconds=max(1, round(self._times.duration)),
            acquire_time=acquired or now,
            renew_time=now,
            lease_transitions=transitions,
        )
