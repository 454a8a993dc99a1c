"""Which step a pod carries out, and the connections that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from modelyard_api.contract.outcome import Outcome, ReplayOutcome
from modelyard_api.contract.steps import ReplayStep, Step, TrainStep
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.replay.step import Surroundings, replay
from modelyard_trainer.tracking.registry import Registry
from modelyard_trainer.tracking.runs import Runs
from modelyard_trainer.train import Services, train


def work(step: Step, environment: Mapping[str, str]) -> Outcome:
    """Carries out the step of a pod. Raises StepError."""
    credentials = Credentials.mounted(environment)
    if step.train is not None:
        return _train(step.train, credentials, environment)
    if step.replay is not None:
        return Outcome(replay=_replay(step.replay, credentials))
    raise InvalidSpecError("is not a step of a trainer", field="step", value=step.chosen)


def _train(step: TrainStep, credentials: Credentials, environment: Mapping[str, str]) -> Outcome:
    with MLflowClient(step.mlflow, credentials.mlflow()) as client:
        services = Services(
            store=ObjectStore(step.s3, credentials.s3()),
            runs=Runs(client, step.spec.dataset_ref.name),
            registry=Registry(client),
            now=_now,
        )
        if step.spec.tuning is None:
            return Outcome(train=train(step, services))
        # Postgres' and Optuna's libraries, which a job without trials does not load.
        from modelyard_trainer.tuning.step import tune  # noqa: PLC0415

        return tune(step, services, environment)


def _replay(step: ReplayStep, credentials: Credentials) -> ReplayOutcome:
    with MLflowClient(step.mlflow, credentials.mlflow()) as client:
        return replay(step, Surroundings(client, ObjectStore(step.s3, credentials.s3()), _now))


def _now() -> datetime:
    return datetime.now(UTC)
