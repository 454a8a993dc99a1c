"""Which version of a model is tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelyard_api import labels
from modelyard_api.conditions import find_condition
from modelyard_api.judging import best_metric_fault
from modelyard_api.metrics import Direction, find_metric
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec
from modelyard_api.v1alpha1.reasons import PromotionReason, TrainingJobCondition
from modelyard_operator.objects.custom import TrainingJobObject
from modelyard_operator.objects.registry import Version

_GOES_ON = "The promotion goes on by itself once there is one"


@dataclass(frozen=True)
class Registry:
    """What MLflow says about a model."""

    versions: Sequence[Version] = ()
    """The newest first."""
    alias: str | None = None
    """Version that the stage's alias points to."""
    metrics: Mapping[str, Mapping[str, float]] | None = None
    """Metrics by run, of the runs that were asked for."""

    def version(self, number: str) -> Version | None:
        """The version of this number."""
        return next((item for item in self.versions if item.version == number), None)

    def metrics_of(self, version: Version) -> Mapping[str, float]:
        """Metrics of a version's run."""
        return (self.metrics or {}).get(version.run_id, {})


@dataclass(frozen=True)
class NoCandidate:
    """Why no version can be tried."""

    reason: PromotionReason
    message: str


def runs_needed(
    spec: ModelPromotionSpec, registry: Registry, job: TrainingJobObject | None
) -> frozenset[str]:
    """Runs whose metrics the decision depends on."""
    if spec.candidate.best is not None:
        return frozenset(version.run_id for version in registry.versions if version.is_servable)
    chosen = choose(spec, registry, job)
    return frozenset({chosen.run_id}) if isinstance(chosen, Version) and spec.gates else frozenset()


def choose(
    spec: ModelPromotionSpec, registry: Registry, job: TrainingJobObject | None
) -> Version | NoCandidate:
    """The version that the spec means now. ``job`` is the TrainingJob that it names, if it names one."""
    if not registry.versions and spec.candidate.training_job is None:
        return _none(f"spec.modelName: the model {spec.model_name} has no version yet. {_GOES_ON}")
    chosen = _CHOICES[spec.candidate.chosen](spec, registry, job)
    if isinstance(chosen, Version) and not chosen.is_servable:
        return NoCandidate(PromotionReason.MODEL_UNUSABLE, _unusable(spec, chosen))
    return chosen


def _unusable(spec: ModelPromotionSpec, version: Version) -> str:
    why = version.tag(labels.TAG_NOT_SERVABLE)
    if why is not None:
        return f"Version {version.version} of {spec.model_name} is not servable: {why}. Name another version"
    return (
        f"Version {version.version} of {spec.model_name} has no bundle of Modelyard. "
        "Name a version that a TrainingJob made"
    )


def _latest(
    spec: ModelPromotionSpec, registry: Registry, job: TrainingJobObject | None
) -> Version | NoCandidate:
    del spec, job
    return registry.versions[0]


def _version(
    spec: ModelPromotionSpec, registry: Registry, job: TrainingJobObject | None
) -> Version | NoCandidate:
    del job
    wanted = spec.candidate.version or ""
    known = ", ".join(item.version for item in registry.versions[:10])
    return registry.version(wanted) or _none(
        f"spec.candidate.version: the model {spec.model_name} has no version {wanted}, it has {known}. {_GOES_ON}"
    )


def _best(
    spec: ModelPromotionSpec, registry: Registry, job: TrainingJobObject | None
) -> Version | NoCandidate:
    del job
    name = spec.candidate.best.metric if spec.candidate.best else ""
    metric = find_metric(name)
    if metric is None:
        return NoCandidate(PromotionReason.INVALID_SPEC, best_metric_fault(spec))
    sign = 1 if metric.direction is Direction.MAXIMIZE else -1
    values = [
        (sign * value, -version.number, version)
        for version in registry.versions
        if version.is_servable
        and (value := registry.metrics_of(version).get(name)) is not None
        and math.isfinite(value)
    ]
    if not values:
        return NoCandidate(
            PromotionReason.METRIC_MISSING,
            f"spec.candidate.best.metric: no version of {spec.model_name} has the metric {name}. {_GOES_ON}",
        )
    return max(values, key=lambda item: item[:2])[2]


def _of_training_job(
    spec: ModelPromotionSpec, registry: Registry, job: TrainingJobObject | None
) -> Version | NoCandidate:
    field, name = "spec.candidate.trainingJob.name", ""
    if spec.candidate.training_job is not None:
        name = spec.candidate.training_job.name
    if job is None:
        # The TrainingJob may have deleted itself long ago; its version stays.
        made = (item for item in registry.versions if item.tag(labels.RUN_TAG_JOB) == name)
        return next(made, None) or _none(f"{field}: the TrainingJob {name} is not there. {_GOES_ON}")
    model = job.status.model
    if model is not None and model.name == spec.model_name:
        return registry.version(model.version) or _none(
            f"{field}: version {model.version} of {model.name}, which {name} made, is not in the registry"
        )
    if model is not None:
        return _none(f"{field}: {name} registered the model {model.name}, not {spec.model_name}")
    done = find_condition(job.status.conditions, TrainingJobCondition.SUCCEEDED)
    state = "has not ended yet" if done is None or done.status == "Unknown" else "ended without a model"
    return _none(f"{field}: {name} {state}. {_GOES_ON}")


_Choice = Callable[[ModelPromotionSpec, Registry, TrainingJobObject | None], Version | NoCandidate]

_CHOICES: Mapping[str, _Choice] = {
    "latest": _latest,
    "version": _version,
    "best": _best,
    "training_job": _of_training_job,
}
"""By key of ``spec.candidate``; a new way to choose is one function and one line here."""


def _none(message: str) -> NoCandidate:
    return NoCandidate(PromotionReason.CANDIDATE_NOT_FOUND, message)
