"""What a set of values is worth: the pipeline with them, judged on one fold of the training part after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.catalog.tuning import objective_of, tuned
from modelyard_api.metrics import Needs, Task, find_metric
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.training_job import TrainingJobSpec
from modelyard_runtime.errors import InvalidSpecError, StepError
from modelyard_trainer.evaluation.folds import Folds, make_folds
from modelyard_trainer.evaluation.judged import gives
from modelyard_trainer.evaluation.learner import Learner
from modelyard_trainer.evaluation.measures.measure import Measure, measured
from modelyard_trainer.evaluation.metrics import wanted_metrics
from modelyard_trainer.fit import EstimatorError, explained
from modelyard_trainer.functions import check_target
from modelyard_trainer.making import Material
from modelyard_trainer.pipeline import Build, build
from modelyard_trainer.threads import limited_to
from modelyard_trainer.tuning.trial import Values

_FOLDS = "spec.tuning.objective.folds"
_METRIC = "spec.tuning.objective.metric"


@dataclass(frozen=True)
class Objective:
    """Data, folds and metric of a study: the same for all its trials."""

    spec: TrainingJobSpec
    material: Material
    folds: Folds
    name: str
    measure: Measure
    needs: Needs
    """What the measure is worked out from."""
    labels: Sequence[Json]
    """Classes of the training part; empty for regression."""
    threads: int

    def judge(self, values: Values) -> Iterator[float]:
        """The metric on each fold in turn.

        Raises EstimatorError where the pipeline does not take the values, or the metric is not defined by them; other
        errors of a step where no trial can be judged.
        """
        pipeline = tuned(self.spec.pipeline, values)
        spec = self.spec.model_copy(update={"pipeline": pipeline})
        data = self.material.data
        learner = Learner(self._built(spec), data, pipeline, self.threads)
        for number, (learn, held) in enumerate(self.folds.pairs, start=1):
            with explained(f"fold {number}", data, spec):
                value = self._judged(learner, learn, held)
            yield value

    def _judged(self, learner: Learner, learn: np.ndarray, held: np.ndarray) -> float:
        fitted = learner.fitted_on(learn)
        with limited_to(self.threads):
            judged = learner.judged_on(fitted, held, self.needs)
        found = measured(self.measure, judged)
        if found.value is None:
            raise EstimatorError(f"is not defined: {found.note}", field=f"metric {self.name}")
        return found.value

    def _built(self, spec: TrainingJobSpec) -> FittablePipeline:
        """What is refused here are the values of one trial: the pipeline without them was found to be right."""
        try:
            plan = self.material.plan.with_steps_of(spec.pipeline)
            return build(spec.pipeline, spec.task, plan, Build(self.threads, self.labels))
        except InvalidSpecError as error:
            raise EstimatorError(
                error.problem, field=error.field, value=error.value, remedy=error.remedy
            ) from error


def make_objective(spec: TrainingJobSpec, material: Material, threads: int) -> Objective:
    """Raises InvalidSpecError or DataError where pipeline, metric and rows do not fit each other."""
    assert spec.tuning is not None  # noqa: S101  the caller asked
    y = material.data.train.y
    check_target(spec.pipeline.estimator, "spec.pipeline.estimator", y)
    labels: list[Json] = sorted(set(y.tolist())) if spec.task is Task.CLASSIFICATION else []
    name = objective_of(spec)
    judged = spec.evaluation.model_copy(update={"metrics": [name], "primary": name})
    model = build(spec.pipeline, spec.task, material.plan, Build(threads, labels))
    with _told_of(_METRIC):
        measure = wanted_metrics(judged, spec.task, gives(model), labels)[name]
    known = find_metric(name)
    assert known is not None  # noqa: S101  it has a measure
    with _told_of(_FOLDS):
        folds = make_folds(material.version, y, spec.task, spec.tuning.objective.folds)
    return Objective(spec, material, folds, name, measure, known.needs, labels, threads)


@contextmanager
def _told_of(field: str) -> Iterator[None]:
    """Evaluation's own complaints name its fields, here the same is asked for by another."""
    try:
        yield
    except StepError as error:
        raise type(error)(error.problem, field=field, value=error.value, remedy=error.remedy) from error
