"""From a pipeline as data to one of scikit-learn. Classes come from the catalog and from nowhere else."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.catalog import CatalogClass, Problem, check_pipeline, load_catalog
from modelyard_api.catalog.components import holds, members
from modelyard_api.catalog.model import Parameter, ValueType
from modelyard_api.catalog.values import to_python
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.pipeline import Component, Pipeline
from modelyard_runtime.errors import InvalidSpecError
from modelyard_trainer.features import Branch, Plan
from modelyard_trainer.functions import INVERSES

_LIBRARIES = ("sklearn", "xgboost", "lightgbm", "imblearn")
_QUIET_AND_STEADY: dict[str, dict[str, Any]] = {
    # LightGBM chooses the way it sums by a race of two, which another run may end otherwise.
    "lightgbm": {"verbose": -1, "deterministic": True, "force_row_wise": True},
    "xgboost": {"verbosity": 1},
}
"""Given to every class of a library, unless the user says otherwise."""
_WANTS_NUMBERED_CLASSES = frozenset({"XGBClassifier", "XGBRFClassifier"})
_SEED = 0
"""Given where the user gives none: the same job must train the same model when it is run again."""
_IMPUTERS = frozenset({"SimpleImputer", "KNNImputer", "MissingIndicator"})
_DEAF_TO_THREADS = frozenset({"LogisticRegression"})
"""Classes that still have ``n_jobs`` and warn where it is given."""


@dataclass(frozen=True)
class Build:
    """What is decided when the pipeline is built."""

    threads: int
    labels: Sequence[Json] = field(default=())
    """Classes of the training part, for parameters that name them."""


def refuse(problems: Iterable[Problem]) -> None:
    """Raises InvalidSpecError with all problems, if there are any; the first is named as the field."""
    found = list(problems)
    if not found:
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    first = found[0]
    raise InvalidSpecError(
        first.message + more, field=first.path, value=_shown(first.value), remedy=first.remedy
    )


def build(pipeline: Pipeline, task: Task, plan: Plan, how: Build) -> FittablePipeline:
    """An unfitted pipeline that takes the array of ``plan.inputs``. Raises InvalidSpecError."""
    refuse(check_pipeline(pipeline, task))
    steps: list[tuple[str, BaseEstimator]] = []
    if plan.branches:
        steps.append(("preprocess", ColumnTransformer([_branch(branch, how) for branch in plan.branches])))
    steps.append(("estimator", _component(pipeline.estimator, "spec.pipeline.estimator", how)))
    return FittablePipeline(steps)


def build_sampler(resample: Component, how: Build) -> BaseEstimator:
    """What evens out the classes of the training part. The pipeline has been judged to be right.

    The sampler takes classes by their position in ``how.labels``: some samplers only know numbers.
    """
    path = "spec.pipeline.resample"
    sampler = _component(resample, path, how)
    asked = sampler.get_params()["sampling_strategy"]
    by_text: dict[str, Json] = {str(label): position for position, label in enumerate(how.labels)}
    field = f"{path}.params.sampling_strategy"
    if isinstance(asked, dict):
        sampler.set_params(sampling_strategy=_by_label(asked, field, by_text))
    elif isinstance(asked, list | tuple):
        named = _by_label({str(label): None for label in asked}, field, by_text)
        sampler.set_params(sampling_strategy=list(named))
    return sampler


def accepting_missing(plan: Plan, missing: Iterable[str]) -> frozenset[str]:
    """Inputs that may be missing in a row to predict: those that were in training, or whose branches impute."""
    accepted = set(missing)
    for position, column in enumerate(plan.inputs):
        branches = [branch for branch in plan.branches if position in branch.positions]
        if branches and all(_imputes(branch) for branch in branches):
            accepted.add(column.name)
    return frozenset(accepted)


def _imputes(branch: Branch) -> bool:
    return any(step.class_ in _IMPUTERS for step in branch.preprocess.steps)


def _branch(branch: Branch, how: Build) -> tuple[str, FittablePipeline, int | list[int]]:
    seen: Counter[str] = Counter()
    steps = []
    for number, step in enumerate(branch.preprocess.steps):
        name = step.class_.lower()
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name}-{seen[name]}"
        path = f"spec.pipeline.preprocess.{branch.preprocess.name}.steps[{number}]"
        steps.append((label, _component(step, path, how)))
    columns = branch.positions[0] if branch.reads_text else branch.positions
    return branch.preprocess.name, FittablePipeline(steps), columns


def _component(component: Component, path: str, how: Build) -> BaseEstimator:
    known = load_catalog().find(component.class_)
    if known is None:
        raise InvalidSpecError("is not in the catalog", field=f"{path}.class", value=component.class_)
    arguments: dict[str, Any] = {}
    for name, value in component.params.items():
        parameter = known.parameter(name)
        if parameter is not None:
            arguments[name] = _argument(parameter, value, f"{path}.params.{name}", how)
    if isinstance(component.params.get("func"), str) and isinstance(arguments["func"], np.ufunc):
        arguments["inverse_func"] = INVERSES[str(component.params["func"])].inverse
    if known.parameter("random_state") is not None:
        arguments.setdefault("random_state", _SEED)
    # Threads go to the innermost: an ensemble that forks as well would ask for their square.
    threaded = known.parameter("n_jobs") is not None and known.name not in _DEAF_TO_THREADS
    if threaded and not _wraps(arguments):
        arguments.setdefault("n_jobs", how.threads)
    if isinstance(arguments.get("class_weight"), dict):
        by_text = {str(label): label for label in how.labels}
        arguments["class_weight"] = _by_label(
            arguments["class_weight"], f"{path}.params.class_weight", by_text
        )
    library = known.module.partition(".")[0]
    instance: BaseEstimator = _class_of(known)(**{**_QUIET_AND_STEADY.get(library, {}), **arguments})
    if known.name in _WANTS_NUMBERED_CLASSES:
        # A vote of one numbers the classes for the fit, and answers with their labels.
        return VotingClassifier([("only", instance)], voting="soft")
    return instance


def _argument(parameter: Parameter, value: Json, path: str, how: Build) -> Any:  # noqa: ANN401  whatever the class takes
    if isinstance(value, dict) and holds(parameter, ValueType.ESTIMATOR):
        return _component(Component.model_validate(value), path, how)
    if isinstance(value, list) and holds(parameter, ValueType.ESTIMATORS):
        return [
            (name, _component(each, f"{path}[{number}]", how))
            for number, (name, each) in enumerate(members(value))
        ]
    if isinstance(value, str) and holds(parameter, ValueType.FUNCTION):
        return INVERSES[value].forward
    return to_python(parameter, value)


def _wraps(arguments: dict[str, Any]) -> bool:
    return any(
        isinstance(value, BaseEstimator)
        or (isinstance(value, list) and value and isinstance(value[0], tuple))
        for value in arguments.values()
    )


def _class_of(known: CatalogClass) -> type[BaseEstimator]:
    if known.module.partition(".")[0] not in _LIBRARIES:
        raise InvalidSpecError(f"comes from {known.module}, which is not a library of the trainer")
    found: type[BaseEstimator] = getattr(importlib.import_module(known.module), known.name)
    return found


def _by_label(given: dict[str, Json], field: str, by_text: Mapping[str, Json]) -> dict[Json, Json]:
    """What is given by the text of a class, by what stands for the class: the keys of a JSON object are always text."""
    for name in given:
        if name not in by_text:
            raise InvalidSpecError(
                "is not a class of the training part",
                field=field,
                value=name,
                remedy=f"Classes: {', '.join(list(by_text)[:12])}",
            )
    return {by_text[name]: value for name, value in given.items()}


def _shown(value: Json) -> Json:
    return value if isinstance(value, str | int | float | bool) else repr(value)
