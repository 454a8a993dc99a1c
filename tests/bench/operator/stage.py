"""One contender on its own control plane: what a case of the benchmark has in its hands."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelyard_operator.settings import Settings
from tests.bench.operator import objects
from tests.bench.operator.audit import READS, WRITES, AuditLog, Request
from tests.bench.operator.client import Client
from tests.bench.operator.contenders import (
    DIRECT,
    GROUPS,
    LOAD_USER,
    OPERATOR_USER,
    Contender,
    Program,
    running,
)
from tests.bench.operator.objects import NAMESPACE
from tests.support.controlplane import ControlPlane, running_control_plane

_DEADLINE_SECONDS = 120.0
# Longer than a busy machine keeps a contender from its next request.
_QUIET_SECONDS = 3.0


@dataclass(frozen=True)
class Usage:
    """CPU seconds used so far on both sides."""

    operator: float
    server: float


@dataclass(frozen=True)
class Stage:
    """A contender at work, the load's client, and the record of all requests."""

    contender: Contender
    plane: ControlPlane
    audit: AuditLog
    client: Client
    program: Program | None

    @property
    def is_direct(self) -> bool:
        return self.contender.name == DIRECT

    def usage(self) -> Usage:
        """CPU time of the contender and of API server and etcd together."""
        server = sum(self.plane.processor_seconds(p) for p in ("kube-apiserver", "etcd"))
        return Usage(self.program.processor_seconds if self.program else 0.0, server)

    async def apply(self, names: list[str]) -> None:
        """Makes the TrainingJobs, or for the floor the Jobs."""
        if self.is_direct:
            await self.client.create_all(objects.JOBS, objects.jobs(names, Settings(projects=[NAMESPACE])))
        else:
            await self.client.create_all(objects.TRAINING_JOBS, objects.training_jobs(names))

    async def until(self, holds: Callable[[], bool], what: str, pause: float = 0.02) -> None:
        """Follows the record until something holds."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not holds():
            if self.program:
                self.program.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.contender.name}: not within {_DEADLINE_SECONDS:.0f} s: {what}")
            await asyncio.sleep(pause)
            self.audit.follow()

    async def quiet(self) -> None:
        """Returns when the contender has asked for nothing for some seconds."""
        seen, since = -1, time.monotonic()

        def silent() -> bool:
            nonlocal seen, since
            count = len(self.requests_since(0))
            if count != seen:
                seen, since = count, time.monotonic()
            return time.monotonic() - since >= _QUIET_SECONDS

        await self.until(silent, "quiet")

    def requests_since(self, start: int) -> list[Request]:
        """Reads and writes of the contender since a place in the record; Leases and watches are left out."""
        user = LOAD_USER if self.is_direct else OPERATOR_USER
        return [
            r
            for r in self.audit.requests[start:]
            if r.user == user and not r.is_lease and r.verb in WRITES | READS
        ]

    def lease_writes_since(self, start: int) -> int:
        """Renewals of the contender's Lease."""
        return sum(r.is_lease and r.verb in WRITES for r in self.audit.requests[start:])


@asynccontextmanager
async def staged(contender: Contender, logs: Path) -> AsyncIterator[Stage]:
    """A fresh API server and etcd with the kinds, one Ready Dataset and the contender watching."""
    audit = AuditLog(logs)
    with running_control_plane((), audit.apiserver_flags) as plane:
        async with Client(plane.kubeconfig) as administrator:
            await _furnish(administrator)
        log = logs / "operator.log"
        with running(contender, plane, log) as program:
            async with Client(plane.kubeconfig_of(LOAD_USER, GROUPS)) as client:
                stage = Stage(contender, plane, audit, client, program)
                await _warm_up(stage)
                yield stage


async def _furnish(administrator: Client) -> None:
    for definition in objects.custom_resource_definitions():
        await administrator.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    for name in (objects.NAMESPACE, objects.PLATFORM):
        await administrator.create("/api/v1/namespaces", objects.namespace(name))
    bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    await administrator.create(bindings, objects.everything_for(GROUPS[-1]))
    for _ in objects.custom_resource_definitions():
        await _served(administrator)
    dataset = objects.dataset()
    await administrator.create(objects.DATASETS, dataset)
    status = f"{objects.DATASETS}/{dataset['metadata']['name']}/status"
    await administrator.patch(status, objects.loaded(dataset, datetime.now(tz=UTC)))


async def _served(administrator: Client) -> None:
    """Returns when all kinds answer: a definition is established a moment after it is made."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            for path in (objects.TRAINING_JOBS, objects.DATASETS):
                await administrator.get(path)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def _warm_up(stage: Stage) -> None:
    """One object goes all the way before anything is measured."""
    await stage.apply(["warm-up"])

    def made() -> bool:
        return any(
            r.resource == "jobs" and r.name.startswith("warm-up") and r.verb in WRITES and r.succeeded
            for r in stage.audit.requests
        )

    await stage.until(made, "the first Job")
    await stage.quiet()
