"""From rows to a model and to how good it is: all that lies between reading and storing."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from sklearn.base import clone
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.contract.manifest import Column
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.training_job import LearningSpec, TrainingJobSpec
from modelyard_runtime.table import Version
from modelyard_trainer.bundle import Origin, PackedModel, pack
from modelyard_trainer.data import TrainingData, prepare
from modelyard_trainer.evaluation.assess import Assessment, assess, validate
from modelyard_trainer.evaluation.folds import make_folds
from modelyard_trainer.evaluation.judged import gives
from modelyard_trainer.evaluation.learner import Learner
from modelyard_trainer.evaluation.metrics import values_of, wanted_metrics
from modelyard_trainer.features import Plan, make_plan
from modelyard_trainer.fit import fit
from modelyard_trainer.pipeline import Build, accepting_missing, build
from modelyard_trainer.threads import set_threads

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """What is trained on."""

    version: Version
    plan: Plan
    data: TrainingData


@dataclass(frozen=True)
class Made:
    """A fitted model and what was found out about it."""

    model: FittablePipeline
    assessment: Assessment


def material_of(version: Version, spec: LearningSpec) -> Material:
    """Raises InvalidSpecError or DataError where the version is not what the spec asks for."""
    plan = make_plan(version.manifest, spec)
    return Material(version, plan, prepare(version, plan, spec.task))


def make(spec: TrainingJobSpec, material: Material, threads: int) -> Made:
    """Fits, judges on folds if asked to, and judges on the test part.

    Raises InvalidSpecError, DataError or EstimatorError.
    """
    data = material.data
    classes = sorted(set(data.train.y.tolist())) if spec.task is Task.CLASSIFICATION else []
    model = build(spec.pipeline, spec.task, material.plan, Build(threads, classes))
    wanted = wanted_metrics(spec.evaluation, spec.task, gives(model), classes)
    asked = spec.evaluation.cross_validation
    folds = make_folds(material.version, data.train.y, spec.task, asked.folds) if asked is not None else None
    # A copy from before the fit, which may leave a number of trees in the model that all rows told.
    learner = Learner(clone(model), data, spec.pipeline, threads)
    started = time.monotonic()
    fit(model, data, spec, threads)
    _log.info("fitted %s in %.1f s", spec.pipeline.estimator.class_, time.monotonic() - started)
    validated = validate(learner, spec, folds, wanted) if folds is not None else None
    # Threads of a forest sum in any order; what is stored, compared and served is made on one.
    set_threads(model, None)
    assessment = assess(model, data, spec, wanted, validated)
    values = values_of(assessment.metrics)
    _log.info("metrics: %s", ", ".join(f"{name}={value:.4g}" for name, value in values.items()))
    return Made(model, assessment)


def packed(
    model: FittablePipeline, spec: TrainingJobSpec, material: Material, run_id: str, digest: str
) -> PackedModel:
    """The bundle of a fitted model; ``digest`` is that of the rows. Raises EstimatorError."""
    plan, data = material.plan, material.data
    missing = accepting_missing(plan, data.missing_in_training)
    inputs = [
        Column(name=column.name, type=column.type, nullable=column.name in missing) for column in plan.inputs
    ]
    return pack(model, Origin(spec.task, spec.target, inputs, run_id, digest), data.train, data.test)
