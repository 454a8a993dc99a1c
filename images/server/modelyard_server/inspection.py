"""The step of gates: a candidate's bundle held against the champion's, and against what this image has installed.

It runs in the server's own image, so that what it finds is what a server would find.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from modelyard_api.contract.bundle import Bundle, Library
from modelyard_api.contract.manifest import Column
from modelyard_api.contract.outcome import InspectionOutcome, Outcome
from modelyard_api.contract.steps import InspectionStep, Step, StoredBundle
from modelyard_api.v1alpha1.common import ColumnType, Json
from modelyard_runtime.credentials import Credentials
from modelyard_runtime.errors import InvalidSpecError, ObjectMissingError
from modelyard_runtime.exit import run_step
from modelyard_runtime.s3 import ObjectStore
from modelyard_server.errors import BundleError
from modelyard_server.models.fetching import read_bundle

_CLAUSES = 10
_SHOWN = 5
_LENGTH = 160
_PYTHON = "python"
_WIDER = {(ColumnType.INTEGER, ColumnType.NUMBER)}
"""Types before and after with which every value of a client is still taken."""


def carry_out(environment: Mapping[str, str]) -> int:
    """Carries out the step of the environment; the exit status tells the class of a failure."""
    return run_step(lambda step: _work(step, environment), environment)


def inspect(
    step: InspectionStep, store: ObjectStore, installed: Callable[[str], str | None]
) -> InspectionOutcome:
    """What is against the candidate. Raises PlatformError where S3 does not answer.

    ``installed`` gives the version of a library of this image, None where it has none.
    """
    try:
        candidate = _bundle(store, step.candidate)
    except BundleError as error:
        told = [str(error)[:_LENGTH]]
        return InspectionOutcome(signature=told, environment=told)
    signature: list[str] = []
    if step.champion is not None:
        try:
            signature = signature_clauses(candidate, _bundle(store, step.champion))
        except BundleError as error:
            signature = [f"nothing is known of version {step.champion.version}: {error}"]
    environment = environment_clauses(candidate.libraries, installed)
    return InspectionOutcome(
        signature=_shortened(signature),
        inputs=len(candidate.inputs) if step.champion is not None else 0,
        environment=_shortened(environment),
        libraries=len(candidate.libraries),
    )


def signature_clauses(candidate: Bundle, champion: Bundle) -> list[str]:
    """What a client of the champion would notice, a clause each."""
    clauses = []
    if candidate.task is not champion.task:
        clauses.append(f"the task is {candidate.task}, was {champion.task}")
    if candidate.target != champion.target:
        clauses.append(f"the target is {candidate.target}, was {champion.target}")
    return clauses + _inputs(candidate.inputs, champion.inputs) + _labels(candidate.classes, champion.classes)


def environment_clauses(libraries: Sequence[Library], installed: Callable[[str], str | None]) -> list[str]:
    """Libraries of the run that this image has not, or in another version; of Python the minor version counts."""
    clauses = []
    for library in libraries:
        here = installed(library.name)
        if here is None:
            clauses.append(f"{library.name} {library.version}, the server has none")
        elif _counted(library.name, here) != _counted(library.name, library.version):
            clauses.append(f"{library.name} {library.version}, the server has {here}")
    return clauses


def installed_version(name: str) -> str | None:
    """Version of Python or of a package in this image."""
    if name == _PYTHON:
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _work(step: Step, environment: Mapping[str, str]) -> Outcome:
    if step.inspection is None:
        raise InvalidSpecError("is not a step of a server", field="step", value=step.chosen)
    store = ObjectStore(step.inspection.s3, Credentials.mounted(environment).s3())
    return Outcome(inspection=inspect(step.inspection, store, installed_version))


def _bundle(store: ObjectStore, stored: StoredBundle) -> Bundle:
    try:
        return read_bundle(store, stored.uri, stored.digest)
    except ObjectMissingError as error:
        raise BundleError(f"the bundle of version {stored.version} is not there: {error.message}") from error


def _inputs(now: Sequence[Column], before: Sequence[Column]) -> list[str]:
    known = {column.name: column for column in before}
    names, old = [column.name for column in now], [column.name for column in before]
    gone, new = [name for name in old if name not in names], [name for name in names if name not in known]
    clauses = []
    if gone:
        clauses.append(f"{_listed(gone)} gone: requests with it are refused")
    if new:
        clauses.append(f"{_listed(new)} new: requests without it are refused")
    if not gone and not new and names != old:
        clauses.append("the inputs are in another order, by which values in lists are read")
    for column in now:
        if column.name in known:
            clauses += _narrowed(column, known[column.name])
    return clauses


def _narrowed(now: Column, before: Column) -> list[str]:
    clauses = []
    if now.type is not before.type and (before.type, now.type) not in _WIDER:
        clauses.append(f'input "{now.name}" is {now.type}, was {before.type}')
    if before.nullable and not now.nullable:
        clauses.append(f'input "{now.name}" may not be missing any more')
    return clauses


def _labels(now: Sequence[Json], before: Sequence[Json]) -> list[str]:
    # 1 and "1" are different labels, as are 1 and true.
    new, old = ([repr(label) for label in labels] for labels in (now, before))
    added, gone = [label for label in new if label not in old], [label for label in old if label not in new]
    clauses = []
    if added:
        clauses.append(f"labels that clients do not know: {_few(added)}")
    if gone:
        clauses.append(f"labels that are gone: {_few(gone)}")
    if not added and not gone and new != old:
        clauses.append("the labels are in another order, which is that of probabilities")
    return clauses


def _counted(name: str, number: str) -> str:
    return ".".join(number.split(".")[:2]) if name == _PYTHON else number


def _listed(names: Sequence[str]) -> str:
    quoted = _few([f'"{name}"' for name in names])
    return f"input {quoted} is" if len(names) == 1 else f"inputs {quoted} are"


def _few(items: Sequence[str]) -> str:
    shown = ", ".join(items[:_SHOWN])
    return shown if len(items) <= _SHOWN else f"{shown} and {len(items) - _SHOWN} more"


def _shortened(clauses: Sequence[str]) -> list[str]:
    return [clause[:_LENGTH] for clause in clauses[:_CLAUSES]]
