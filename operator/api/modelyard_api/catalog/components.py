"""Judges a class with its parameters, and the estimators that stand in these parameters, by the catalog."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from modelyard_api.catalog.model import Accept, Catalog, CatalogClass, Kind, Parameter, ValueType
from modelyard_api.catalog.problem import Problem, nearest
from modelyard_api.catalog.values import accepts, describe
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.pipeline import Component

DEEPEST = 3
"""How many estimators may stand in one another, the outermost not counted."""
MOST_MEMBERS = 20
"""How many estimators a vote or a stack may have."""
ESTIMATOR_KIND = {Task.REGRESSION: Kind.REGRESSOR, Task.CLASSIFICATION: Kind.CLASSIFIER}
_MEMBER = re.compile(r"[a-z][a-z0-9_]{0,29}")


@dataclass(frozen=True)
class Place:
    """Where a component stands and what is needed there."""

    path: str
    kinds: Sequence[Kind]
    catalog: Catalog
    task: Task
    depth: int = 0
    weights: bool = False
    """Whether what stands here is given weights of rows."""

    def below(self, name: str) -> str:
        """Path of a parameter."""
        return f"{self.path}.params.{name}"


def check_component(component: Component, place: Place) -> Iterator[Problem]:
    """Faults of a class, of its parameters, and of the estimators in them."""
    name, catalog, path = component.class_, place.catalog, f"{place.path}.class"
    known = catalog.find(name)
    needed = " or ".join(f"a {kind}" for kind in place.kinds)
    likely = [own for kind in place.kinds for own in catalog.names(kind)]
    if known is None:
        yield _unknown_class(name, path, likely, catalog)
    elif not set(place.kinds) & set(known.kinds):
        is_a = " and ".join(f"a {own}" for own in known.kinds)
        yield Problem(path, name, f"is {is_a}, here {needed} is needed", nearest(name, likely))
    else:
        if place.weights and not known.weights:
            remedy = "Use another class, or do without what weighs the rows"
            yield Problem(path, name, "takes no weights of rows, which are given to it here", remedy)
        yield from _check_parameters(component, known, place)


def nested(component: Component, known: CatalogClass) -> Iterator[tuple[str, Component]]:
    """Estimators in the parameters of a component that was judged to be right, by the names of parameters."""
    for name, value in component.params.items():
        parameter = known.parameter(name)
        if parameter is None:
            continue
        if isinstance(value, dict) and holds(parameter, ValueType.ESTIMATOR):
            yield name, Component.model_validate(value)
        elif isinstance(value, list) and holds(parameter, ValueType.ESTIMATORS):
            for member in members(value):
                yield name, member[1]


def members(value: list[Json]) -> list[tuple[str, Component]]:
    """Names and estimators of a list that was judged to be right."""
    found = []
    for each in value:
        if isinstance(each, dict):
            rest = {key: own for key, own in each.items() if key != "name"}
            found.append((str(each["name"]), Component.model_validate(rest)))
    return found


def holds(parameter: Parameter, kind: ValueType) -> bool:
    """Whether a parameter takes an estimator, or a list of them."""
    return _alternative(parameter, kind) is not None


def _alternative(parameter: Parameter, kind: ValueType) -> Accept | None:
    return next((own for own in parameter.accepts if own.type is kind), None)


def _unknown_class(name: str, path: str, likely: list[str], catalog: Catalog) -> Problem:
    if name in catalog.refused:
        return Problem(path, name, f"is not taken: it {catalog.refused[name]}", nearest(name, likely))
    several = catalog.ambiguous(name)
    if several:
        return Problem(path, name, "names more than one class", f"Write {' or '.join(several)}")
    if "." in name or ":" in name:
        message = "is not in the catalog: a class is looked up there and never imported by its path"
        return Problem(path, name, message, nearest(name.replace(":", ".").rsplit(".", 1)[-1], likely))
    libraries = ", ".join(f"{library} {version}" for library, version in catalog.libraries.items())
    return Problem(path, name, f"is not a class of the catalog ({libraries})", nearest(name, likely))


def _check_parameters(component: Component, known: CatalogClass, place: Place) -> Iterator[Problem]:
    for name, value in component.params.items():
        parameter = known.parameter(name)
        path = place.below(name)
        if parameter is None:
            names = [own.name for own in known.parameters]
            remedy = nearest(name, names) if names else f"{known.name} has no parameters"
            yield Problem(path, value, f"is for a parameter that {known.name} does not have", remedy)
            continue
        one, many = (_alternative(parameter, kind) for kind in (ValueType.ESTIMATOR, ValueType.ESTIMATORS))
        if one is not None and isinstance(value, dict):
            yield from _check_nested(value, _inner(place, one, path))
        elif many is not None and isinstance(value, list):
            yield from _check_members(value, known, _inner(place, many, path))
        elif not accepts(parameter, value):
            yield Problem(
                path, value, f"is not accepted by {known.name}", f"{name} must be {describe(parameter)}"
            )
    for parameter in known.parameters:
        if parameter.default is None and parameter.name not in component.params:
            message = f"lacks a value for {parameter.name}, which {known.name} demands"
            path = f"{place.path}.params"
            yield Problem(path, component.params, message, f"{parameter.name} must be {describe(parameter)}")
    yield from _check_together(component, known, place)


def _check_together(component: Component, known: CatalogClass, place: Place) -> Iterator[Problem]:
    for names in known.exclusive:
        given = [name for name in names if component.params.get(name) is not None]
        if len(given) > 1:
            message = f"stands beside {given[0]}, and {known.name} takes one of them"
            yield Problem(place.below(given[1]), component.params[given[1]], message, "Leave one out")


def _inner(place: Place, alternative: Accept, path: str) -> Place:
    kinds = [own for own in alternative.kinds if own in {Kind.TRANSFORMER, ESTIMATOR_KIND[place.task]}]
    weights = alternative.weights or (place.weights and Kind.TRANSFORMER not in alternative.kinds)
    return replace(place, path=path, kinds=kinds, depth=place.depth + 1, weights=weights)


def _check_members(value: list[Json], known: CatalogClass, place: Place) -> Iterator[Problem]:
    if not 1 <= len(value) <= MOST_MEMBERS:
        message = f"are {len(value)} estimators, and {known.name} takes 1 to {MOST_MEMBERS}"
        yield Problem(place.path, value, message, "Change the list")
        return
    taken = {own.name for own in known.parameters}
    counts = Counter(str(each.get("name")) for each in value if isinstance(each, dict))
    for number, each in enumerate(value):
        path = f"{place.path}[{number}]"
        if not isinstance(each, dict):
            remedy = "Write {name: …, class: …, params: {…}}"
            yield Problem(path, each, "is not an estimator with its name", remedy)
            continue
        name = each.get("name")
        if not isinstance(name, str) or not _MEMBER.fullmatch(name) or "__" in name:
            remedy = "Use up to 30 small letters, digits and single underscores, a letter first"
            yield Problem(f"{path}.name", name, "is not a name of an estimator", remedy)
        elif counts[name] > 1 or name in taken:
            what = f"is a parameter of {known.name}" if name in taken else "names more than one estimator"
            yield Problem(f"{path}.name", name, what, "Give each estimator a name of its own")
        rest: dict[str, Json] = {key: own for key, own in each.items() if key != "name"}
        yield from _check_nested(rest, replace(place, path=path))


def _check_nested(document: dict[str, Json], place: Place) -> Iterator[Problem]:
    if place.depth > DEEPEST:
        message = f"stands in more than {DEEPEST} other estimators"
        yield Problem(place.path, document, message, "Nest fewer estimators")
        return
    try:
        component = Component.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        remedy = "Write {class: …, params: {…}}"
        message = f"is not an estimator: {where}: {first['msg']}"
        yield Problem(place.path, document, message, remedy)
        return
    yield from check_component(component, place)
