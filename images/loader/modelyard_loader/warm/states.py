"""What became of the steps that this pod began, kept in files so that a container that is restarted knows of it."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Failure, Outcome
from modelyard_api.contract.warm import WarmState

_SUFFIX = ".json"


class States:
    """States by name of the step."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._states: dict[str, WarmState] = {}

    def load(self, now: datetime) -> None:
        """Reads what an earlier container of the pod left; what it had begun and not ended was ended with it."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for path in self._directory.glob(f"*{_SUFFIX}"):
            try:
                state = WarmState.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                path.unlink(missing_ok=True)
                continue
            name = path.name.removesuffix(_SUFFIX)
            if state.ended_at is None:
                state = taken(state, "the warm loader itself was ended while the step was at work", now)
            self.put(name, state)

    def get(self, name: str) -> WarmState | None:
        """What is known of a step."""
        return self._states.get(name)

    def put(self, name: str, state: WarmState) -> None:
        """Remembers a state, before anybody is told of it."""
        target = self._directory / f"{name}{_SUFFIX}"
        written = target.with_suffix(".new")
        written.write_bytes(state.model_dump_json(by_alias=True).encode())
        written.replace(target)
        self._states[name] = state

    def keep_only(self, names: Container[str]) -> None:
        """Forgets steps that are not handed over any more: their answers are in the status."""
        for name in [name for name in self._states if name not in names]:
            del self._states[name]
            (self._directory / f"{name}{_SUFFIX}").unlink(missing_ok=True)

    def all(self) -> dict[str, WarmState]:
        """All of them."""
        return dict(self._states)


def taken(state: WarmState, why: str, now: datetime) -> WarmState:
    """The state of a step that ended without an answer of its own; the operator tries it again as a Job."""
    failure = Failure(failure_class=FailureClass.EVICTED, message=f"The step was cut off: {why}")
    message = Outcome(failure=failure).encode().decode()
    return state.model_copy(update={"ended_at": now, "progress": None, "exit_code": 1, "message": message})
