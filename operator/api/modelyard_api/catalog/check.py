"""Judges a pipeline and its evaluation by the catalog, before any pod and without scikit-learn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from modelyard_api.catalog.components import ESTIMATOR_KIND, Place, check_component
from modelyard_api.catalog.model import Catalog, Kind, load_catalog
from modelyard_api.catalog.problem import Problem, nearest
from modelyard_api.metrics import Task, find_metric, metrics_of
from modelyard_api.patterns import explodes
from modelyard_api.v1alpha1.pipeline import Component, Pipeline, Preprocess
from modelyard_api.v1alpha1.training_job import Evaluation

_ROOT = "spec.pipeline"
_TOKENS = "token_pattern"
_DROPS_OR_DRAWS = ("dart", "rf")
"""Ways of boosting whose trees do not stand for themselves."""


def check_pipeline(
    pipeline: Pipeline, task: Task, catalog: Catalog | None = None, *, weights: bool = False
) -> list[Problem]:
    """All faults of a pipeline: classes, parameters, values, the kind of each class, names of branches.

    ``weights`` says that rows are weighed, which the estimator must take.
    """
    catalog = catalog or load_catalog()
    problems = list(_check_branches(pipeline.preprocess))
    for number, branch in enumerate(pipeline.preprocess):
        path = f"{_ROOT}.preprocess[{number}]"
        problems += _check_pattern(branch, path)
        problems += _check_text_columns(branch, path, catalog)
        for position, step in enumerate(branch.steps):
            place = Place(f"{path}.steps[{position}]", (Kind.TRANSFORMER,), catalog, task=task)
            problems += check_component(step, place)
            problems += _check_tokens(step, f"{path}.steps[{position}]")
    problems += _check_resample(pipeline, task, catalog, weights=weights)
    problems += _check_early_stopping(pipeline, catalog)
    place = Place(f"{_ROOT}.estimator", (ESTIMATOR_KIND[task],), catalog, task=task, weights=weights)
    problems += check_component(pipeline.estimator, place)
    return problems


def check_evaluation(evaluation: Evaluation, task: Task) -> list[Problem]:
    """Faults of the names of metrics."""
    fields = [("spec.evaluation.primary", evaluation.primary)] if evaluation.primary else []
    fields += [(f"spec.evaluation.metrics[{number}]", name) for number, name in enumerate(evaluation.metrics)]
    problems = [check_metric(path, name, task) for path, name in fields]
    found = [problem for problem in problems if problem is not None]
    if not found and evaluation.metrics and evaluation.primary not in {None, *evaluation.metrics}:
        found.append(
            Problem(
                "spec.evaluation.primary",
                evaluation.primary,
                "is not among spec.evaluation.metrics",
                "Add it there, or leave metrics out to compute all of the task",
            )
        )
    return found


def check_metric(path: str, name: str, task: Task) -> Problem | None:
    """The fault of a metric's name, if there is one."""
    known = find_metric(name)
    names = [metric.name for metric in metrics_of(task)]
    if known is None:
        return Problem(path, name, "is not a metric", nearest(name, names))
    if known.task is not task:
        remedy = f"Metrics of {task}: {', '.join(names)}"
        return Problem(path, name, f"is a metric of {known.task}, the task is {task}", remedy)
    return None


def _check_branches(branches: list[Preprocess]) -> Iterator[Problem]:
    counts = Counter(branch.name for branch in branches)
    for number, branch in enumerate(branches):
        path = f"{_ROOT}.preprocess[{number}].name"
        if counts[branch.name] > 1:
            yield Problem(path, branch.name, "names more than one branch", "Give each branch its own name")
        if "__" in branch.name:
            yield Problem(path, branch.name, "holds two underscores in a row", "Use one underscore")


def _check_resample(pipeline: Pipeline, task: Task, catalog: Catalog, *, weights: bool) -> Iterator[Problem]:
    sampler, path = pipeline.resample, f"{_ROOT}.resample"
    if sampler is None:
        return
    if task is not Task.CLASSIFICATION:
        message = f"evens out classes, and the task is {task}"
        yield Problem(path, sampler.class_, message, "Leave it out, or use sampleWeightColumn")
    if weights:
        message = "makes rows that have no weight, and spec.sampleWeightColumn gives weights"
        yield Problem(path, sampler.class_, message, "Leave one of both out")
    yield from check_component(sampler, Place(path, (Kind.SAMPLER,), catalog, task=task))


def _check_early_stopping(pipeline: Pipeline, catalog: Catalog) -> Iterator[Problem]:
    known, path = catalog.find(pipeline.estimator.class_), f"{_ROOT}.earlyStopping"
    if pipeline.early_stopping is None or known is None:
        return
    if not known.early_stopping:
        able = ", ".join(own.name for own in catalog.classes if own.early_stopping)
        message = f"is not for {known.name}"
        yield Problem(path, pipeline.early_stopping.to_wire(), message, f"It is for {able}")
    for name in ("booster", "boosting_type"):
        value = pipeline.estimator.params.get(name)
        if value in _DROPS_OR_DRAWS:
            message = (
                f"changes trees that are there already or draws each alone, so {known.name} cannot stop early"
            )
            yield Problem(f"{_ROOT}.estimator.params.{name}", value, message, "Leave out one of both")


def _check_pattern(branch: Preprocess, path: str) -> Iterator[Problem]:
    pattern = branch.columns.pattern
    if pattern is None:
        return
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"is not a regular expression: {error}"
        yield Problem(f"{path}.columns.pattern", pattern, message, "Write it as Python's re does")


def _check_tokens(step: Component, path: str) -> Iterator[Problem]:
    pattern = step.params.get(_TOKENS)
    if isinstance(pattern, str) and explodes(pattern):
        message = "takes time without end on some texts, in which a server answers nobody"
        remedy = "Repeat nothing that can itself be repeated or chosen in several ways over one character"
        yield Problem(f"{path}.params.{_TOKENS}", pattern, message, remedy)


def _check_text_columns(branch: Preprocess, path: str, catalog: Catalog) -> Iterator[Problem]:
    first = catalog.find(branch.steps[0].class_)
    names = branch.columns.names
    if first is not None and first.input == "text":
        if names is not None and len(names) > 1:
            message = f"are {len(names)} columns, and {first.name} reads one column of text"
            remedy = "Make one branch for each column"
            yield Problem(f"{path}.columns.names", names, message, remedy)
        types = branch.columns.types
        if types is not None and types != ["Text"]:
            remedy = "Use types: [Text], or name the column"
            yield Problem(f"{path}.columns.types", types, f"is not text, which {first.name} reads", remedy)
    for position, step in enumerate(branch.steps[1:], start=1):
        known = catalog.find(step.class_)
        if known is not None and known.input == "text":
            message = "reads text and can only be the first step of its branch"
            yield Problem(f"{path}.steps[{position}].class", step.class_, message, "Move it to the front")
