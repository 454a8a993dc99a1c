"""Which columns a model is made of: the target, the features, and the branch that each feature goes to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelyard_api.catalog import load_catalog
from modelyard_api.catalog.problem import nearest
from modelyard_api.contract.manifest import Column, Manifest
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.pipeline import Pipeline, Preprocess
from modelyard_api.v1alpha1.training_job import LearningSpec
from modelyard_runtime.errors import InvalidSpecError

_NUMERIC = frozenset({ColumnType.INTEGER, ColumnType.NUMBER})
_TYPES: dict[str, frozenset[ColumnType]] = {
    "Numeric": _NUMERIC,
    "Text": frozenset({ColumnType.TEXT}),
    "Boolean": frozenset({ColumnType.BOOLEAN}),
}
_SHOWN = 12
"""Names in a message."""
_TARGETS = {
    Task.REGRESSION: _NUMERIC,
    Task.CLASSIFICATION: frozenset({ColumnType.TEXT, ColumnType.INTEGER, ColumnType.BOOLEAN}),
}


@dataclass(frozen=True)
class Branch:
    """A branch of the pipeline and the features that go through it."""

    preprocess: Preprocess
    positions: list[int]
    """Positions in ``Plan.inputs``."""
    reads_text: bool
    """True where the first step takes one column of documents instead of a table."""


@dataclass(frozen=True)
class Plan:
    """What the model reads and predicts."""

    target: Column
    inputs: list[Column]
    """Features that the model reads, in the order of the data set's columns."""
    branches: list[Branch]
    weights: str | None = None
    """Column of the weights of rows; every row counts the same if unset."""

    def with_steps_of(self, pipeline: Pipeline) -> Plan:
        """The same columns in the same branches, whose steps have other parameters."""
        branches = [
            replace(branch, preprocess=own)
            for branch, own in zip(self.branches, pipeline.preprocess, strict=True)
        ]
        return replace(self, branches=branches)


def make_plan(manifest: Manifest, spec: LearningSpec) -> Plan:
    """Raises InvalidSpecError where spec and columns do not fit each other. Own code gets every feature as it is."""
    features = _features(manifest, spec)
    target = _target(manifest, spec)
    if spec.pipeline is None:
        return Plan(target, features, [], _weights(manifest, spec))
    chosen = [_selected(branch, number, features) for number, branch in enumerate(spec.pipeline.preprocess)]
    read = {name for names in chosen for name in names} if chosen else {column.name for column in features}
    inputs = [column for column in features if column.name in read]
    if not chosen:
        _refuse_raw_text(inputs, spec.pipeline)
    position = {column.name: number for number, column in enumerate(inputs)}
    branches = [
        Branch(branch, [position[name] for name in names], _reads_text(branch))
        for branch, names in zip(spec.pipeline.preprocess, chosen, strict=True)
    ]
    return Plan(target, inputs, branches, _weights(manifest, spec))


def _target(manifest: Manifest, spec: LearningSpec) -> Column:
    column = next((own for own in manifest.columns if own.name == spec.target), None)
    if column is None:
        raise _unknown("spec.target", spec.target, manifest.columns)
    if column.name in manifest.key:
        raise InvalidSpecError(
            "is part of the key", field="spec.target", value=spec.target, remedy="Use another column"
        )
    if column.type not in _TARGETS[spec.task]:
        wanted = " or ".join(sorted(_TARGETS[spec.task]))
        other = Task.CLASSIFICATION if spec.task is Task.REGRESSION else Task.REGRESSION
        raise InvalidSpecError(
            f"is a column of type {column.type}, {spec.task} predicts {wanted}",
            field="spec.target",
            value=spec.target,
            remedy=f"Use task {other}, or another target",
        )
    return column


def _weights(manifest: Manifest, spec: LearningSpec) -> str | None:
    name, field = spec.sample_weight_column, "spec.sampleWeightColumn"
    if name is None:
        return None
    column = next((own for own in manifest.columns if own.name == name), None)
    if column is None:
        raise _unknown(field, name, manifest.columns)
    if name == spec.target or name in manifest.key:
        what = "the target" if name == spec.target else "part of the key"
        raise InvalidSpecError(f"is {what}", field=field, value=name, remedy="Use another column")
    if column.type not in _NUMERIC:
        message = f"is a column of type {column.type}, weights are Integer or Number"
        raise InvalidSpecError(message, field=field, value=name, remedy="Use another column")
    return name


def _features(manifest: Manifest, spec: LearningSpec) -> list[Column]:
    asked = spec.features
    included = asked.include if asked else None
    excluded = (asked.exclude if asked else None) or []
    never = {spec.target, *manifest.key, spec.sample_weight_column}
    free = [column for column in manifest.columns if column.name not in never]
    for number, name in enumerate(included or []):
        field = f"spec.features.include[{number}]"
        if name in never:
            what = {spec.target: "the target", spec.sample_weight_column: "the weight of rows"}.get(
                name, "part of the key"
            )
            raise InvalidSpecError(
                f"is {what} and cannot be a feature", field=field, value=name, remedy="Leave it out"
            )
        if name not in {column.name for column in free}:
            raise _unknown(field, name, free)
    for number, name in enumerate(excluded):
        if name not in {column.name for column in manifest.columns}:
            raise _unknown(f"spec.features.exclude[{number}]", name, manifest.columns)
    features = [
        column
        for column in free
        if column.name not in excluded and (included is None or column.name in included)
    ]
    if not features:
        raise InvalidSpecError("leaves no feature", field="spec.features", remedy="Exclude fewer columns")
    return features


def _selected(branch: Preprocess, number: int, features: Sequence[Column]) -> list[str]:
    """Names of the features of a branch."""
    field = f"spec.pipeline.preprocess[{number}].columns"
    known = [column.name for column in features]
    if branch.columns.names is not None:
        for position, name in enumerate(branch.columns.names):
            if name not in known:
                raise _unknown(f"{field}.names[{position}]", name, features)
        names = branch.columns.names
    else:
        names = _matching(branch, field, features)
    if _reads_text(branch):
        _check_text(names, features, branch, field)
    return names


def _matching(branch: Preprocess, field: str, features: Sequence[Column]) -> list[str]:
    pattern, types = branch.columns.pattern, branch.columns.types or []
    if pattern is not None:
        expression = re.compile(pattern)
        names = [column.name for column in features if expression.fullmatch(column.name)]
    else:
        wanted = frozenset[ColumnType]().union(*(_TYPES[own] for own in types))
        names = [column.name for column in features if column.type in wanted]
    if names:
        return names
    if pattern is None:
        raise InvalidSpecError(
            "matches no feature", field=f"{field}.types", value=", ".join(types), remedy="Remove the branch"
        )
    shown = ", ".join(column.name for column in features[:_SHOWN])
    remedy = f"The whole name must match, upper and lower case apart. Features: {shown}"
    raise InvalidSpecError("matches no feature", field=f"{field}.pattern", value=pattern, remedy=remedy)


def _check_text(names: list[str], features: Sequence[Column], branch: Preprocess, field: str) -> None:
    reader = branch.steps[0].class_
    if len(names) != 1:
        raise InvalidSpecError(
            f"selects {len(names)} features, and {reader} reads one column of text",
            field=field,
            value=", ".join(names),
            remedy="Make one branch for each column, by names",
        )
    column = next(own for own in features if own.name == names[0])
    if column.type is not ColumnType.TEXT:
        raise InvalidSpecError(
            f"is of type {column.type}, {reader} reads Text",
            field=field,
            value=column.name,
            remedy="Use a class that reads numbers, such as StandardScaler, or a column of text",
        )


def _refuse_raw_text(inputs: Sequence[Column], pipeline: Pipeline) -> None:
    texts = [column.name for column in inputs if column.type is ColumnType.TEXT]
    if texts:
        raise InvalidSpecError(
            f"is empty, and {pipeline.estimator.class_} cannot read the text of {', '.join(texts[:5])}",
            field="spec.pipeline.preprocess",
            remedy="Add a branch with TfidfVectorizer or OneHotEncoder, or leave the column out by spec.features",
        )


def _reads_text(branch: Preprocess) -> bool:
    first = load_catalog().find(branch.steps[0].class_)
    return first is not None and first.input == "text"


def _unknown(field: str, name: str, columns: Sequence[Column]) -> InvalidSpecError:
    remedy = nearest(name, [column.name for column in columns])
    return InvalidSpecError("is not a column of the data", field=field, value=name, remedy=remedy)
