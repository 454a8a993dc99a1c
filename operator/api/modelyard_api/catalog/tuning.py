"""Parameters that are tuned: where they stand in a pipeline, what they are set to, and whether their classes take it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelyard_api.catalog.check import check_metric
from modelyard_api.catalog.components import Place, check_component
from modelyard_api.catalog.model import Catalog, load_catalog
from modelyard_api.catalog.problem import Problem, nearest
from modelyard_api.metrics import default_primary
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.pipeline import Component, Pipeline
from modelyard_api.v1alpha1.training_job import TrainingJobSpec
from modelyard_api.v1alpha1.tuning import Dimension, extremes, points

_ROOT = "spec.tuning"
_FEWEST_RANGES = 2
_FEWEST_RANGES_REASON = "an evolution strategy moves in two dimensions at least"


class NoPlaceError(ValueError):
    """A path names no component of the pipeline. The text is a clause."""


def objective_of(spec: TrainingJobSpec) -> str:
    """The metric that trials are judged by."""
    asked = spec.tuning.objective.metric if spec.tuning is not None else None
    return asked or spec.evaluation.primary or default_primary(spec.task)


def tuned(pipeline: Pipeline, values: Mapping[str, Json]) -> Pipeline:
    """The pipeline with parameters set, by their paths. Raises NoPlaceError."""
    for path, value in values.items():
        pipeline = _set(pipeline, path.split("."), value)
    return pipeline


def component_at(pipeline: Pipeline, path: str) -> Component:
    """The component whose parameter a path names. Raises NoPlaceError."""
    head, *names = path.split(".")
    component, names = _outermost(pipeline, head, names)
    while len(names) > 1:
        component, names = _inner(component, names)
    return component


def check_tuning(spec: TrainingJobSpec, catalog: Catalog | None = None) -> list[Problem]:
    """All faults of the space, the sampler and the objective; the pipeline itself is judged elsewhere."""
    tuning = spec.tuning
    if tuning is None:
        return []
    catalog = catalog or load_catalog()
    found = check_metric(f"{_ROOT}.objective.metric", objective_of(spec), spec.task)
    problems = [found] if found is not None else []
    for number, dimension in enumerate(tuning.space):
        path = f"{_ROOT}.space[{number}]"
        problems += _check_dimension(dimension, path, spec, catalog)
        if tuning.sampler.grid is not None:
            problems += _check_grid(dimension, path)
    if tuning.sampler.grid is not None and tuning.warm_start is not None:
        message = "stands beside a grid, and a grid learns nothing from earlier trials"
        asked = tuning.warm_start.training_job
        problems.append(Problem(f"{_ROOT}.warmStart", asked, message, "Leave one of both out"))
    if tuning.sampler.cmaes is not None:
        ranges = sum(dimension.choice is None for dimension in tuning.space)
        if ranges < _FEWEST_RANGES:
            message = f"needs {_FEWEST_RANGES} ranges of numbers, space has {ranges}: {_FEWEST_RANGES_REASON}"
            problems.append(Problem(f"{_ROOT}.sampler.cmaes", None, message, "Use tpe"))
    return problems


def _check_dimension(
    dimension: Dimension, path: str, spec: TrainingJobSpec, catalog: Catalog
) -> Iterator[Problem]:
    try:
        component = component_at(spec.pipeline, dimension.parameter)
    except NoPlaceError as error:
        remedy = "Write estimator.<parameter>, resample.<parameter> or preprocess.<branch>.<step>.<parameter>"
        yield Problem(f"{path}.parameter", dimension.parameter, str(error), remedy)
        return
    known = catalog.find(component.class_)
    if known is None:
        return
    name = dimension.parameter.rpartition(".")[2]
    if known.parameter(name) is None:
        message = f"is for a parameter that {known.name} does not have"
        remedy = nearest(name, [own.name for own in known.parameters])
        yield Problem(f"{path}.parameter", dimension.parameter, message, remedy)
        return
    place = Place("", known.kinds, catalog, task=spec.task)
    for field, value in extremes(dimension):
        trial = component.model_copy(update={"params": {**component.params, name: value}})
        for problem in check_component(trial, place):
            if problem.path.startswith(place.below(name)):
                below = problem.path.removeprefix(place.below(name))
                yield Problem(f"{path}.{field}{below}", problem.value, problem.message, problem.remedy)


def _check_grid(dimension: Dimension, path: str) -> Iterator[Problem]:
    chosen = dimension.integer or dimension.number
    if points(dimension) is None:
        message = "has no end of values, and a grid tries every one"
        yield Problem(
            f"{path}.number", dimension.parameter, message, "Give it a step, or use another sampler"
        )
    elif chosen is not None and chosen.log:
        message = "goes by ratios, and a grid by steps"
        remedy = "Use choice with the values, or another sampler"
        yield Problem(f"{path}.integer.log", value=True, message=message, remedy=remedy)


def _outermost(pipeline: Pipeline, head: str, names: list[str]) -> tuple[Component, list[str]]:
    if head == "estimator":
        return pipeline.estimator, names
    if head == "resample":
        if pipeline.resample is None:
            raise NoPlaceError("names resample, which the pipeline does not have")
        return pipeline.resample, names
    branch = next((own for own in pipeline.preprocess if own.name == names[0]), None)
    if branch is None:
        own = ", ".join(each.name for each in pipeline.preprocess) or "none"
        raise NoPlaceError(f"names no branch of the pipeline, which has {own}")
    position = int(names[1])
    if position >= len(branch.steps):
        raise NoPlaceError(f"names step {position}, and {branch.name} has {len(branch.steps)} from 0 on")
    return branch.steps[position], names[2:]


def _inner(component: Component, names: list[str]) -> tuple[Component, list[str]]:
    """The estimator in a parameter, and what is left of the path."""
    held = component.params.get(names[0])
    if isinstance(held, list):
        member = next((own for own in held if isinstance(own, dict) and own.get("name") == names[1]), None)
        if member is not None and len(names) > 2:  # noqa: PLR2004  its name and a parameter
            rest = {key: value for key, value in member.items() if key != "name"}
            return _component(rest, names[:2]), names[2:]
    elif isinstance(held, dict):
        return _component(held, names[:1]), names[1:]
    raise NoPlaceError(f"goes into {names[0]} of {component.class_}, which holds no estimator of this name")


def _component(document: dict[str, Json], names: list[str]) -> Component:
    try:
        return Component.model_validate(document)
    except ValueError as error:
        raise NoPlaceError(f"goes into {'.'.join(names)}, which is no estimator") from error


def _set(pipeline: Pipeline, path: list[str], value: Json) -> Pipeline:
    head, *names = path
    component, rest = _outermost(pipeline, head, names)
    changed = _changed(component, rest, value)
    if head != "preprocess":
        return pipeline.model_copy(update={head: changed})
    branches = []
    for branch in pipeline.preprocess:
        steps = list(branch.steps)
        if branch.name == names[0]:
            steps[int(names[1])] = changed
        branches.append(branch.model_copy(update={"steps": steps}))
    return pipeline.model_copy(update={"preprocess": branches})


def _changed(component: Component, names: list[str], value: Json) -> Component:
    name = names[0]
    if len(names) == 1:
        return component.model_copy(update={"params": {**component.params, name: value}})
    inner, rest = _inner(component, names)
    document = _changed(inner, rest, value).model_dump(by_alias=True)
    held = component.params[name]
    if isinstance(held, list):
        changed: Json = [
            {"name": names[1], **document} if isinstance(own, dict) and own.get("name") == names[1] else own
            for own in held
        ]
    else:
        changed = document
    return component.model_copy(update={"params": {**component.params, name: changed}})
