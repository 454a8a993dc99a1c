"""Exit codes of pods: the class of a failure must survive even where no message could be written."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What a pod's exit status means; the numbers leave out those of shells and signals."""

    OK = 0
    CODE = 1
    """Unknown failure of the program or of the estimator. Not tried again."""
    INVALID_SPEC = 10
    """The step cannot be carried out as it was asked for. Not tried again."""
    DATA = 11
    """The data do not fit the step. Not tried again."""
    PLATFORM = 20
    """Postgres, S3 or MLflow did not answer. Tried again."""


class FailureClass(StrEnum):
    """Class of a failure; also the reason of the condition."""

    CODE = "Code"
    INVALID_SPEC = "InvalidSpec"
    DATA = "Data"
    PLATFORM = "Platform"
    OUT_OF_MEMORY = "OutOfMemory"
    EVICTED = "Evicted"
    DEADLINE = "Deadline"
    IMAGE = "Image"
    QUOTA = "Quota"
    UNSCHEDULABLE = "Unschedulable"


_BY_CODE = {
    ExitCode.CODE: FailureClass.CODE,
    ExitCode.INVALID_SPEC: FailureClass.INVALID_SPEC,
    ExitCode.DATA: FailureClass.DATA,
    ExitCode.PLATFORM: FailureClass.PLATFORM,
}

RETRYABLE = frozenset({FailureClass.PLATFORM, FailureClass.EVICTED})
"""Failures that may pass by themselves."""


def failure_class(exit_code: int) -> FailureClass:
    """Class of a failure by exit code alone; an unknown code is the program's own."""
    try:
        return _BY_CODE[ExitCode(exit_code)]
    except (ValueError, KeyError):
        return FailureClass.CODE


def exit_code(failure: FailureClass) -> ExitCode:
    """Exit code with which a pod reports a failure of this class."""
    for code, known in _BY_CODE.items():
        if known is failure:
            return code
    return ExitCode.CODE
