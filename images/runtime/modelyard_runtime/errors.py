"""Errors that a step reports to people: each knows the class of failure it is and what to do about it.

Everything else that is raised is a defect and ends the pod with class Code.
"""

from __future__ import annotations

from typing import ClassVar

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Failure

_VALUE_LIMIT = 120


def shown(value: object) -> str:
    """A value as it appears in a message: one line of bounded length."""
    text = str(value)
    cut = text if len(text) <= _VALUE_LIMIT else text[: _VALUE_LIMIT - 1] + "…"
    return repr(cut) if isinstance(value, str) else cut


class StepError(Exception):
    """A step cannot be carried out. ``problem`` is a clause, ``field`` a path of the spec or a thing's name."""

    failure_class: ClassVar[FailureClass] = FailureClass.CODE

    def __init__(self, problem: str, *, field: str = "", value: object = None, remedy: str = "") -> None:
        self.problem = problem
        self.field = field
        self.value = value
        self.remedy = remedy[:1].upper() + remedy[1:]
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """Field, value and problem as one clause without a full stop."""
        if not self.field:
            return self.problem
        given = "" if self.value is None else f" = {shown(self.value)}"
        return f"{self.field}{given}: {self.problem}"

    def failure(self) -> Failure:
        """What the operator is told."""
        return Failure(failure_class=self.failure_class, message=self.message, remedy=self.remedy)


class InvalidSpecError(StepError):
    """The step asks for something that cannot be done. Not tried again."""

    failure_class = FailureClass.INVALID_SPEC


class DataError(StepError):
    """The data do not fit the step. Not tried again."""

    failure_class = FailureClass.DATA


class PlatformError(StepError):
    """Postgres, S3 or MLflow did not answer, or refused us. Tried again by the operator."""

    failure_class = FailureClass.PLATFORM


class ObjectMissingError(DataError):
    """An object that a document refers to is not on S3."""
