"""Which kind of step is carried out by whom: the registry that a new kind is added to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from modelyard_api.contract.outcome import Outcome
from modelyard_api.contract.steps import (
    SOURCE_DIRECTORY,
    SOURCE_VARIABLE,
    DatasetWork,
    RebuildStep,
    Step,
    SweepStep,
    VerifyStep,
)
from modelyard_loader.load import load
from modelyard_loader.rebuild import rebuild
from modelyard_loader.retention.run import sweep
from modelyard_loader.surroundings import Surroundings, utc_now
from modelyard_loader.transforms.limits import pod_limits
from modelyard_loader.verify.run import verify
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.progress import Progress, served
from modelyard_runtime.retry import Patience
from modelyard_runtime.s3 import ObjectStore, Outage
from modelyard_runtime.tracking import MLflowClient


def _verify(step: VerifyStep, around: Surroundings) -> Outcome:
    return verify(step, around.store, pod_limits(around.environment))


def _sweep(step: SweepStep, around: Surroundings) -> Outcome:
    login = Credentials.mounted(around.environment).mlflow()
    with MLflowClient(step.mlflow, login, Patience(notice=around.progress.wait_for)) as tracking:
        return sweep(step, around.store, around.postgres, tracking, around.clock)


def _rebuild(step: RebuildStep, around: Surroundings) -> Outcome:
    return rebuild(step, around.store, around.postgres, around.progress)


CARRIED_OUT: Mapping[str, Callable[..., Outcome]] = {
    "load": load,
    "verify": _verify,
    "sweep": _sweep,
    "rebuild": _rebuild,
}
"""Each is called with what the step asks for and the surroundings."""
_POSTGRES_SECONDS = 110.0
"""How long Postgres is waited for: longer than it takes to restart, so that a step survives that."""

Show = Callable[[Progress], AbstractContextManager[object]]
"""Shows how far a step is for the time of a block."""


def carry_out(
    step: Step,
    environment: Mapping[str, str],
    clock: Callable[[], datetime] = utc_now,
    show: Show | None = None,
) -> Outcome:
    """Carries out a step of the loader. Raises the errors of ``modelyard_runtime.errors``.

    ``show`` tells how far it is in another way than on a page of its own.
    """
    make = CARRIED_OUT.get(step.chosen)
    if make is None:
        raise InvalidSpecError(
            f"the loader cannot carry out a step of kind {step.chosen}",
            remedy="operator and image must be of the same release",
        )
    asked: DatasetWork = getattr(step, step.chosen)
    progress = Progress(clock)
    shown = served(progress, environment) if show is None else show(progress)
    with shown, tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
        return make(asked, _surroundings(asked, environment, clock, progress, Path(scratch)))


def _surroundings(
    asked: DatasetWork,
    environment: Mapping[str, str],
    clock: Callable[[], datetime],
    progress: Progress,
    scratch: Path,
) -> Surroundings:
    credentials = Credentials.mounted(environment)
    patience = Patience(total=_POSTGRES_SECONDS, notice=progress.wait_for)
    return Surroundings(
        store=ObjectStore(asked.s3, credentials.s3(), Outage(notice=progress.wait_for)),
        postgres=Postgres(asked.postgres, credentials.postgres(), patience),
        scratch=scratch,
        secrets=Path(environment.get(SOURCE_VARIABLE, SOURCE_DIRECTORY)),
        clock=clock,
        progress=progress,
        environment=environment,
    )
