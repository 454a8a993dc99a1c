"""The Lease: who may write, judged by one process's own clock."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from modelyard_operator.cluster.lease import Leadership, LeaseTimes
from modelyard_operator.errors import ConflictError, NotHolderError
from modelyard_operator.objects.meta import Meta
from modelyard_operator.objects.workloads import Lease, LeaseSpec


@dataclass
class Clock:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Server:
    """Keeps one Lease as the API server does, as far as its holder is concerned."""

    lease: Lease | None = None
    version: int = 0
    conflicts: list[int] = field(default_factory=list)

    async def get(self, *_: object) -> Lease | None:
        return self.lease

    async def create_unfenced(self, _: object, lease: Lease) -> Lease:
        return self._keep(lease)

    async def replace(self, _: object, lease: Lease) -> Lease:
        if self.conflicts:
            raise ConflictError(self.conflicts.pop(), "Conflict", "changed")
        return self._keep(lease)

    def hold(self, holder: str, renewed: str) -> None:
        spec = LeaseSpec(holder_identity=holder, renew_time=renewed, lease_duration_seconds=15)
        self._keep(Lease(metadata=Meta(name="a", namespace="b"), spec=spec))

    def _keep(self, lease: Lease) -> Lease:
        self.version += 1
        meta = lease.metadata.model_copy(update={"resource_version": str(self.version)})
        self.lease = lease.model_copy(update={"metadata": meta})
        return self.lease


def leadership(clock: Clock) -> Leadership:
    return Leadership("b", "a", "me", LeaseTimes(15, 10, 2), clock)


async def attempt(ours: Leadership, server: Any) -> bool:  # noqa: ANN401  stands for the cluster
    started = ours._monotonic()
    held = await ours._attempt(server)
    if held:
        ours._renewed = started
    return held


async def test_nobody_may_write_before_the_lease_is_held() -> None:
    clock = Clock()
    ours = leadership(clock)
    with pytest.raises(NotHolderError):
        ours.check()
    assert await attempt(ours, Server())
    ours.check()


async def test_the_right_to_write_ends_with_the_renew_deadline() -> None:
    clock, server = Clock(), Server()
    ours = leadership(clock)
    await attempt(ours, server)
    clock.seconds += 9
    ours.check()
    clock.seconds += 2
    with pytest.raises(NotHolderError):
        ours.check()


async def test_another_holder_is_left_alone_until_it_was_silent_for_its_whole_duration() -> None:
    clock, server = Clock(), Server()
    ours = leadership(clock)
    server.hold("other", "2000-01-01T00:00:00Z")  # its clock is far off, which says nothing
    assert not await attempt(ours, server)
    clock.seconds += 14
    assert not await attempt(ours, server)
    server.hold("other", "2000-01-01T00:00:14Z")
    clock.seconds += 2
    assert not await attempt(ours, server), "it had renewed"
    clock.seconds += 16
    assert await attempt(ours, server)
    assert server.lease is not None
    assert server.lease.spec.holder_identity == "me"
    assert server.lease.spec.lease_transitions == 1


async def test_a_lost_race_is_no_right() -> None:
    clock, server = Clock(), Server()
    ours = leadership(clock)
    server.hold("", "x")
    server.conflicts.append(409)
    assert not await attempt(ours, server)


async def test_a_lease_given_away_is_taken_at_once() -> None:
    clock, server = Clock(), Server()
    ours = leadership(clock)
    await attempt(ours, server)
    await ours.release(server)  # type: ignore[arg-type]
    with pytest.raises(NotHolderError):
        ours.check()
    other = Leadership("b", "a", "other", LeaseTimes(15, 10, 2), clock)
    assert await attempt(other, server)
