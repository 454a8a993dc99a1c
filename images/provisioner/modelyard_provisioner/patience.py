"""Waiting for services that start at the same time as this Job does."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from modelyard_provisioner.errors import ProvisioningError, UnavailableError

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class Patience:
    """One deadline for a whole run, on a monotonic clock."""

    deadline: float
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, seconds: float) -> "Patience":
        return cls(time.monotonic() + seconds)

    def until_available(self, what: str, attempt: Callable[[], Result]) -> Result:
        """The attempt's result, tried again while the service does not answer and the deadline is ahead."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except UnavailableError as error:
                if self.now() + pause > self.deadline:
                    raise ProvisioningError(f"{what} did not become available in time: {error}") from error
                _LOG.info("waiting for %s: %s", what, error)
                self.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
