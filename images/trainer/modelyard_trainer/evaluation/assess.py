"""Everything that is found out about how good a model is, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.metrics import default_primary
from modelyard_api.v1alpha1.training_job import LearningSpec, TrainingJobSpec
from modelyard_trainer.data import TrainingData
from modelyard_trainer.evaluation.baseline import baseline
from modelyard_trainer.evaluation.bootstrap import Interval, intervals
from modelyard_trainer.evaluation.cross_validation import CrossValidated, cross_validate
from modelyard_trainer.evaluation.folds import Folds
from modelyard_trainer.evaluation.importance import Importance, importance
from modelyard_trainer.evaluation.judged import Judged, judge
from modelyard_trainer.evaluation.learner import Learner
from modelyard_trainer.evaluation.learning import Curve, LearningCurve
from modelyard_trainer.evaluation.measures.measure import Measure, Measured, measured
from modelyard_trainer.evaluation.metrics import MEASURES, class_measures, evaluate
from modelyard_trainer.fit import explained

_CLASSES_LOGGED = 100


@dataclass(frozen=True)
class Validated:
    """What folds of the training part came to."""

    folds: CrossValidated
    learning: LearningCurve | None = None


@dataclass(frozen=True)
class Assessment:
    """How good a model is."""

    judged: Judged
    """The model's answers on the test part."""
    metrics: dict[str, Measured]
    """Of the test part, as asked for."""
    by_class: dict[str, Measured] = field(default_factory=dict)
    """Precision, recall and F1 of each class."""
    intervals: dict[str, Interval] = field(default_factory=dict)
    baseline: dict[str, Measured] = field(default_factory=dict)
    cross_validated: CrossValidated | None = None
    learning: LearningCurve | None = None
    importance: Importance | None = None

    def numbers(self) -> dict[str, float]:
        """What is logged as metrics of the run: those of the test part, and beside them names made from theirs."""
        found: dict[str, float] = {}
        if self.judged.classes is not None and len(self.judged.classes) <= _CLASSES_LOGGED:
            found.update(_defined("", self.by_class))
        found.update(_defined("", self.metrics))
        found.update(_defined("baseline_", self.baseline))
        for name, interval in self.intervals.items():
            found[f"{name}_low"], found[f"{name}_high"] = interval.low, interval.high
        for name in self.metrics:
            spread = self.cross_validated.spread(name) if self.cross_validated is not None else None
            if spread is not None:
                found[f"cv_mean_{name}"] = spread.mean
                if spread.deviation is not None:
                    found[f"cv_sd_{name}"] = spread.deviation
        return found


def validate(learner: Learner, spec: TrainingJobSpec, folds: Folds, wanted: dict[str, Measure]) -> Validated:
    """Judges copies of the model on folds; the model itself is not fitted."""
    with explained("cross-validation", learner.data, spec):
        if spec.evaluation.plots == "None":
            return Validated(cross_validate(learner, folds, wanted))
        primary = primary_of(spec)
        curve = Curve(learner, folds, primary, wanted.get(primary) or MEASURES[primary])
        found = cross_validate(learner, folds, wanted, curve.see)
        return Validated(found, curve.drawn())


def primary_of(spec: LearningSpec) -> str:
    """The metric that runs are compared by."""
    return spec.evaluation.primary or default_primary(spec.task)


def assess(
    model: FittablePipeline,
    data: TrainingData,
    spec: TrainingJobSpec,
    wanted: dict[str, Measure],
    validated: Validated | None,
) -> Assessment:
    """Judges a fitted model on the test part. DataError if its primary metric has no value.

    Bits are the same each time if the model's steps use one thread.
    """
    with explained("predictions", data, spec):
        judged = judge(model, data.test.X, data.test.y)
    weighed = weigh(judged, data, spec, wanted)
    leaned_on = None
    if spec.evaluation.plots == "Default":
        primary = primary_of(spec)
        with explained("feature importance", data, spec):
            leaned_on = importance(model, data.test, primary, wanted.get(primary) or MEASURES[primary])
    return replace(
        weighed,
        cross_validated=validated.folds if validated is not None else None,
        learning=validated.learning if validated is not None else None,
        importance=leaned_on,
    )


def weigh(judged: Judged, data: TrainingData, spec: LearningSpec, wanted: dict[str, Measure]) -> Assessment:
    """What answers on the test part say of the model that gave them. DataError if the primary metric has no value."""
    found = evaluate(judged, wanted, spec.evaluation, spec.task)
    of_classes = class_measures(judged.classes.tolist()) if judged.classes is not None else {}
    return Assessment(
        judged=judged,
        metrics=found,
        by_class={name: measured(measure, judged) for name, measure in of_classes.items()},
        intervals=intervals(judged, wanted, spec.evaluation.bootstrap),
        baseline=baseline(data, wanted, spec.task),
    )


def _defined(prefix: str, found: dict[str, Measured]) -> dict[str, float]:
    return {f"{prefix}{name}": one.value for name, one in found.items() if one.value is not None}
