"""A training step with tuning: every worker takes trials, the first one then trains the best and answers for all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from modelyard_api.catalog.tuning import objective_of, tuned
from modelyard_api.contract.outcome import Outcome, TrainOutcome, TrialsOutcome
from modelyard_api.contract.progress import Phase
from modelyard_api.contract.steps import WORKER_VARIABLE, TrainStep
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.progress import Progress, served
from modelyard_trainer import machine
from modelyard_trainer.fit import EstimatorError
from modelyard_trainer.train import (
    Extra,
    Services,
    Source,
    answer_of,
    finished_run,
    read_source,
    train_on,
)
from modelyard_trainer.tuning.connection import Connection
from modelyard_trainer.tuning.objective import make_objective
from modelyard_trainer.tuning.record import Record
from modelyard_trainer.tuning.results import CAPTIONS, artifacts, parameters
from modelyard_trainer.tuning.study import asked_of, best_of, direction_of, progress_of, shown, study_of
from modelyard_trainer.tuning.trial import Trial
from modelyard_trainer.tuning.worker import Search, Worker

_PAUSE_SECONDS = 0.2
"""Between looks at the trials of others: all of them wait for the first worker once the last trial has ended."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Here:
    """What this worker is and has."""

    worker: int
    connection: Connection
    progress: Progress
    pause: Callable[[float], object]
    """Waits for some seconds."""


def tune(step: TrainStep, services: Services, environment: Mapping[str, str]) -> Outcome:
    """Carries out the part of the step that is this worker's."""
    if step.postgres is None:
        raise InvalidSpecError("does not say where trials are recorded", field="step.train.postgres")
    progress = Progress()
    progress.begin(Phase.READING)
    connection = Connection(step.postgres, Credentials.mounted(environment).postgres())
    here = Here(
        worker=int(environment.get(WORKER_VARIABLE) or 0),
        connection=connection,
        progress=progress,
        pause=threading.Event().wait,
    )
    try:
        with served(progress, environment):
            return _worked(step, services, here)
    finally:
        connection.close()


def _worked(step: TrainStep, services: Services, here: Here) -> Outcome:
    known = finished_run(step, services)
    if known is not None and here.worker > 0:
        return Outcome(trials=TrialsOutcome(trials=0))
    source = read_source(step, services)
    record = Record(here.connection, study_of(step, source.version), here.worker)
    if known is not None:
        return Outcome(train=_with_trials(step, record, answer_of(step, services, known)))
    ended = _search(step, record, source, here)
    if here.worker > 0:
        return Outcome(trials=TrialsOutcome(trials=ended))
    best = _best(step, record)
    chosen, source = settled(step, source, best)
    here.progress.begin(Phase.TRAINING)
    extra = Extra(
        parameters=parameters(step.spec, best),
        metrics={f"tuning_{objective_of(step.spec)}": best.value or 0.0},
        files=lambda: artifacts(step.spec, record.table()),
        captions=CAPTIONS,
    )
    return Outcome(train=_with_trials(step, record, train_on(chosen, services, source, extra)))


def _search(step: TrainStep, record: Record, source: Source, here: Here) -> int:
    """Takes trials; the first worker stays until those of all others have come to an end. Returns how many it ended."""
    tuning = asked_of(step.spec)
    earlier = tuning.warm_start.training_job if tuning.warm_start is not None else None
    if not record.open(earlier):
        raise InvalidSpecError(
            f"has no completed trials that were judged by {objective_of(step.spec)}",
            field="spec.tuning.warmStart.trainingJob",
            value=earlier,
            remedy="Name a TrainingJob of this namespace with tuning by the same metric, or leave warmStart out",
        )
    threads = machine.threads_of_each(tuning.parallelism)
    objective = make_objective(step.spec, source.material, threads)

    def pulse() -> None:
        here.progress.show(progress_of(tuning, record.tally()))

    here.progress.begin(Phase.TUNING, study_of(step, source.version).budget)
    pulse()
    search = Search(tuning, direction_of(step.spec), objective.judge, len(objective.folds.pairs))
    worker = Worker(record, search, pulse)
    ended = worker.run()
    while here.worker == 0 and record.is_running():
        here.pause(_PAUSE_SECONDS)
        pulse()
        ended += worker.run()
    pulse()
    return ended


def settled(step: TrainStep, source: Source, best: Trial) -> tuple[TrainStep, Source]:
    """The step as if it had asked for the values of a trial, without tuning."""
    pipeline = tuned(step.spec.pipeline, best.values or {})
    spec = step.spec.model_copy(update={"pipeline": pipeline, "tuning": None})
    material = replace(source.material, plan=source.material.plan.with_steps_of(pipeline))
    return step.model_copy(update={"spec": spec}), replace(source, material=material)


def _best(step: TrainStep, record: Record) -> Trial:
    best = best_of(record.trials(), direction_of(step.spec))
    if best is None:
        raise EstimatorError(
            f"no trial could be completed. The first that failed: {record.failure() or 'none'}",
            field="spec.tuning",
            remedy="Change the space or the pipeline; each trial's message is in the table tuning_trials",
        )
    _log.info("trial %d is the best with %.6g", best.number, best.value)
    return best


def _with_trials(step: TrainStep, record: Record, outcome: TrainOutcome) -> TrainOutcome:
    best = best_of(record.trials(), direction_of(step.spec))
    return outcome.model_copy(
        update={
            "progress": progress_of(asked_of(step.spec), record.tally()),
            "best": shown(best) if best is not None else None,
        }
    )
