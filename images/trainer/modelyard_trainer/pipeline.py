"""From a pipeline as data to one of scikit-learn. Classes come from the catalog and from nowhere else."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.catalog import CatalogClass, Problem, check_pipeline, load_catalog
from modelyard_api.catalog.values import to_python
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.pipeline import Component, Pipeline
from modelyard_runtime.errors import InvalidSpecError
from modelyard_trainer.features import Branch, Plan

_LIBRARY = "sklearn."
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


def set_threads(model: FittablePipeline, count: int | None) -> None:
    """Gives every step that can use threads this many; None is one."""
    given = model.get_params()
    names = [name for name in given if name.endswith("__n_jobs") and given[name] is not None]
    model.set_params(**dict.fromkeys(names, count))


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
    arguments = {
        name: to_python(parameter, value)
        for name, value in component.params.items()
        if (parameter := known.parameter(name)) is not None
    }
    if known.parameter("random_state") is not None:
        arguments.setdefault("random_state", _SEED)
    if known.parameter("n_jobs") is not None and known.name not in _DEAF_TO_THREADS:
        arguments.setdefault("n_jobs", how.threads)
    if isinstance(arguments.get("class_weight"), dict):
        arguments["class_weight"] = _by_label(arguments["class_weight"], path, how.labels)
    instance: BaseEstimator = _class_of(known)(**arguments)
    return instance


def _class_of(known: CatalogClass) -> type[BaseEstimator]:
    if not known.module.startswith(_LIBRARY):
        raise InvalidSpecError(f"comes from {known.module}, which is not a library of the trainer")
    found: type[BaseEstimator] = getattr(importlib.import_module(known.module), known.name)
    return found


def _by_label(weights: dict[str, Json], path: str, labels: Sequence[Json]) -> dict[Json, Json]:
    """Weights by the classes themselves: the keys of a JSON object are always text."""
    by_text = {str(label): label for label in labels}
    for name in weights:
        if name not in by_text:
            raise InvalidSpecError(
                "is not a class of the training part",
                field=f"{path}.params.class_weight",
                value=name,
                remedy=f"Classes: {', '.join(list(by_text)[:12])}",
            )
    return {by_text[name]: weight for name, weight in weights.items()}


def _shown(value: Json) -> Json:
    return value if isinstance(value, str | int | float | bool) else repr(value)
