"""How a command ends. Every error is a sentence for the person at the terminal and one of few exit codes."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    """What was asked for is so."""
    NO = 1
    """The answer is no: a file has faults, a job failed, a thing is not there."""
    USAGE = 2
    """The command line itself is wrong."""
    UNAVAILABLE = 3
    """The cluster or MLflow cannot be reached, or refuses."""
    TIMEOUT = 4
    """It was not over in the time that was given."""
    INTERRUPTED = 130
    """Ended from the keyboard."""


class CommandError(Exception):
    """Ends the command with a sentence on standard error."""

    code = Exit.NO

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}. {remedy}" if remedy else message)


class UnavailableError(CommandError):
    """A service that does not answer, or refuses."""

    code = Exit.UNAVAILABLE


class PassingError(UnavailableError):
    """A service that may answer if it is asked again."""


class TimeoutPassedError(CommandError):
    """It takes longer than the user wants to wait."""

    code = Exit.TIMEOUT
