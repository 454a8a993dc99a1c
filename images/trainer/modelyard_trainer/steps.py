"""Which step a pod carries out, and the connections that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from uuid import uuid4

from modelyard_api.contract.outcome import ChampionsOutcome, ImprovementOutcome, Outcome, ReplayOutcome
from modelyard_api.contract.steps import (
    WORKER_VARIABLE,
    ChampionsStep,
    ContainerStep,
    ImprovementStep,
    ReplayStep,
    Step,
    TrainStep,
)
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.improvement import improvement
from modelyard_trainer.own.judge import judge_model
from modelyard_trainer.own.places import Places
from modelyard_trainer.own.prepare import prepare
from modelyard_trainer.own.record import record
from modelyard_trainer.replay.step import Surroundings, replay
from modelyard_trainer.tracking.registry import Registry
from modelyard_trainer.tracking.runs import Runs
from modelyard_trainer.tracking.turn import Turn, unwritable
from modelyard_trainer.train import Services, train


def work(step: Step, environment: Mapping[str, str]) -> Outcome:
    """Carries out the step of a pod. Raises StepError."""
    if step.judge is not None:
        # Before any credential is thought of: it runs what somebody else wrote.
        return Outcome(judged=judge_model(Places.mounted(environment)))
    credentials = Credentials.mounted(environment)
    if step.train is not None:
        return _train(step.train, credentials, environment)
    if step.replay is not None:
        return Outcome(replay=_replay(step.replay, credentials, environment))
    if step.prepare is not None:
        store = ObjectStore(step.prepare.s3, credentials.s3())
        return Outcome(prepared=prepare(step.prepare, store, Places.mounted(environment)))
    if step.record is not None:
        return _record(step.record, credentials, environment)
    if step.improvement is not None:
        return Outcome(improvement=_improvement(step.improvement, credentials))
    if step.champions is not None:
        return Outcome(champions=_champions(step.champions, credentials))
    raise InvalidSpecError("is not a step of a trainer", field="step", value=step.chosen)


def _train(step: TrainStep, credentials: Credentials, environment: Mapping[str, str]) -> Outcome:
    with MLflowClient(step.mlflow, credentials.mlflow()) as client:
        store = ObjectStore(step.s3, credentials.s3())
        # Of several workers only the first writes more than trials.
        is_first = int(environment.get(WORKER_VARIABLE) or 0) == 0
        turn = Turn.take(store, step.owner, uuid4().hex) if is_first else None
        services = Services(
            store=store,
            runs=Runs(client, step.spec.dataset_ref.name, turn.check if turn is not None else unwritable),
            registry=Registry(client),
            now=_now,
            turn=turn,
        )
        if step.spec.tuning is None:
            return Outcome(train=train(step, services))
        # Postgres' and Optuna's libraries, which a job without trials does not load.
        from modelyard_trainer.tuning.step import tune  # noqa: PLC0415

        return tune(step, services, environment)


def _record(step: ContainerStep, credentials: Credentials, environment: Mapping[str, str]) -> Outcome:
    with MLflowClient(step.mlflow, credentials.mlflow()) as client:
        store = ObjectStore(step.s3, credentials.s3())
        turn = Turn.take(store, step.owner, uuid4().hex)
        services = Services(
            store=store,
            runs=Runs(client, step.spec.dataset_ref.name, turn.check),
            registry=Registry(client),
            now=_now,
            turn=turn,
        )
        return Outcome(train=record(step, services, Places.mounted(environment)))


def _replay(step: ReplayStep, credentials: Credentials, environment: Mapping[str, str]) -> ReplayOutcome:
    with MLflowClient(step.mlflow, credentials.mlflow()) as client:
        store = ObjectStore(step.s3, credentials.s3())
        return replay(step, Surroundings(client, store, _now, Places.mounted(environment)))


def _improvement(step: ImprovementStep, credentials: Credentials) -> ImprovementOutcome:
    with MLflowClient(step.mlflow, credentials.mlflow()) as client:
        return improvement(step, client, ObjectStore(step.s3, credentials.s3()))


def _champions(step: ChampionsStep, credentials: Credentials) -> ChampionsOutcome:
    # Postgres' library, which no other step without trials loads.
    from modelyard_trainer.champions import record_champions  # noqa: PLC0415
    from modelyard_trainer.tuning.connection import Connection  # noqa: PLC0415

    with closing(Connection(step.postgres, credentials.postgres())) as connection:
        return record_champions(step, connection)


def _now() -> datetime:
    return datetime.now(UTC)
