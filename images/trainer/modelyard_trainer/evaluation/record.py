"""The evaluation of a run as a document: what its report shows, and what comparisons are made from."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from modelyard_api.base import StatusModel
from modelyard_api.contract.bundle import Library
from modelyard_api.metrics import (
    CLASS_FAMILIES,
    METRICS,
    Direction,
    Task,
    class_metric,
    class_slugs,
    find_metric,
)
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.training_job import DatasetVersion
from modelyard_trainer.evaluation.assess import Assessment
from modelyard_trainer.evaluation.baseline import BASELINES


class MetricRecord(StatusModel):
    """A metric of the test part and what stands beside it."""

    name: str
    description: str
    direction: Direction
    value: float | None = None
    """Absent where it is not defined."""
    note: str = ""
    """Why it is not defined, or what was assumed."""
    low: float | None = None
    high: float | None = None
    resamples: int | None = None
    """Draws of the interval."""
    undefined: int = 0
    """Draws on which it is not defined, which are left out."""
    baseline: float | None = None
    cv_mean: float | None = None
    cv_deviation: float | None = None


class ClassRecord(StatusModel):
    """A class on the test part; what is not defined is absent."""

    label: str
    metric: str
    """What stands for the class in names of metrics."""
    rows: int
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None


class RunFacts(StatusModel):
    """Where a model comes from."""

    project: str
    job: str
    run_id: str
    image: str
    dataset: str
    data: DatasetVersion
    task: Task
    target: str
    primary: str
    split: str
    """How rows were held out, as a clause."""
    rows_train: int
    rows_test: int
    parameters: dict[str, str]
    libraries: list[Library]
    threads: int
    made_at: datetime

    @property
    def estimator(self) -> str:
        """Class of the estimator, or the image of the user's own code without its registry."""
        image = self.parameters.get("container.image", "model").rsplit("/", 1)[-1]
        return self.parameters.get("estimator.class", image)


class EvaluationRecord(StatusModel):
    """``evaluation/evaluation.json`` of a run."""

    schema_version: int = 1
    facts: RunFacts
    metrics: list[MetricRecord]
    """The primary one first."""
    classes: list[ClassRecord] = []
    confidence: str
    """Of the intervals, as a decimal."""
    baseline: str
    """What the baseline answers."""
    folds: str = ""
    """How folds were made; empty where there are none."""
    fold_count: int = 0


def split_clause(split: Split) -> str:
    """How rows were held out, for people."""
    held = f"{split.test_percent} % held out"
    if split.time_column is not None:
        return f"{held}, the last by {split.time_column}"
    by = f" of each {split.stratify_by}" if split.stratify_by is not None else ""
    together = f", rows of one {split.group_by} together" if split.group_by is not None else ""
    return f"{held}{by} by hash with seed {split.seed}{together}"


def record_of(assessment: Assessment, facts: RunFacts, confidence: str) -> EvaluationRecord:
    """Puts an assessment into its document."""
    names = sorted(assessment.metrics, key=lambda name: name != facts.primary)
    validated = assessment.cross_validated
    return EvaluationRecord(
        facts=facts,
        metrics=[_metric(name, assessment) for name in names],
        classes=_classes(assessment),
        confidence=confidence,
        baseline=BASELINES[facts.task],
        folds=validated.rule if validated is not None else "",
        fold_count=len(validated.values) if validated is not None else 0,
    )


def _metric(name: str, assessment: Assessment) -> MetricRecord:
    known = find_metric(name) or METRICS[name]
    found, interval = assessment.metrics[name], assessment.intervals.get(name)
    beside = assessment.baseline.get(name)
    spread = assessment.cross_validated.spread(name) if assessment.cross_validated is not None else None
    return MetricRecord(
        name=name,
        description=known.description,
        direction=known.direction,
        value=found.value,
        note=found.note,
        low=interval.low if interval is not None else None,
        high=interval.high if interval is not None else None,
        resamples=interval.resamples if interval is not None else None,
        undefined=interval.undefined if interval is not None else 0,
        baseline=beside.value if beside is not None else None,
        cv_mean=spread.mean if spread is not None else None,
        cv_deviation=spread.deviation if spread is not None else None,
    )


def _classes(assessment: Assessment) -> list[ClassRecord]:
    judged = assessment.judged
    if judged.classes is None:
        return []
    labels = judged.classes.tolist()
    sizes = np.bincount(judged.truth_codes, minlength=len(judged.labels))
    places = np.searchsorted(judged.labels, judged.classes)
    return [
        ClassRecord(
            label=str(label),
            metric=slug,
            rows=int(sizes[place]),
            **{family: assessment.by_class[class_metric(family, slug)].value for family in CLASS_FAMILIES},
        )
        for label, slug, place in zip(labels, class_slugs(labels), places, strict=True)
    ]
