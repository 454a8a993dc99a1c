"""Carries out what is handed over, one step at a time, and knows what became of each."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from modelyard_api.contract.warm import WarmPage, WarmState, WarmStep
from modelyard_loader.warm.child import Child, Ended, Work
from modelyard_loader.warm.handed import Handed
from modelyard_loader.warm.states import States, taken

_PATIENCE = timedelta(seconds=10)
"""How long a step that is not wanted any more may take to stop."""

_log = logging.getLogger(__name__)


@dataclass
class _AtWork:
    name: str
    step: WarmStep
    child: Child
    stopped_at: datetime | None = None
    killed: bool = False


class Keeper:
    """One look after the other; between them it only waits."""

    def __init__(
        self,
        handed: Path,
        kept: Path,
        environment: Mapping[str, str],
        work: Work,
        clock: Callable[[], datetime],
    ) -> None:
        self._handed = Handed(handed)
        self._states = States(kept / "states")
        self._rooms = kept / "rooms"
        self._environment = environment
        self._work = work
        self._clock = clock
        self._at_work: _AtWork | None = None
        self._states.load(clock())

    @property
    def is_busy(self) -> bool:
        """Whether a step is at work."""
        return self._at_work is not None

    def look(self) -> None:
        """Takes the answer of a step that ended, stops one that is not wanted any more, begins the next."""
        wanted = self._handed.look()
        self._settle()
        if self._at_work is not None:
            now = wanted.get(self._at_work.name)
            if now is None or now.handed_at != self._at_work.step.handed_at:
                self._stop(self._at_work)
            return
        self._states.keep_only(wanted)
        for name, step in wanted.items():
            state = self._states.get(name)
            if state is None or state.handed_at != step.handed_at:
                self._begin(name, step)
                return

    def close(self) -> None:
        """Stops the step at work; another pod carries it out again."""
        if self._at_work is not None:
            self._stop(self._at_work)
            self._settle()

    def page(self) -> WarmPage:
        """What is known of the steps."""
        steps = self._states.all()
        at_work = self._at_work
        if at_work is not None and (state := steps.get(at_work.name)) is not None:
            steps[at_work.name] = state.model_copy(update={"progress": at_work.child.progress()})
        return WarmPage(steps=steps)

    def _begin(self, name: str, step: WarmStep) -> None:
        _log.info("step begins", extra={"step": name, "kind": step.step.chosen})
        self._states.put(name, WarmState(handed_at=step.handed_at, begun_at=self._clock()))
        child = Child.start(step.step, self._environment, self._rooms / name, self._work)
        self._at_work = _AtWork(name, step, child)

    def _stop(self, at_work: _AtWork) -> None:
        now = self._clock()
        if at_work.stopped_at is None:
            at_work.stopped_at = now
            _log.info("step is not wanted any more", extra={"step": at_work.name})
            at_work.child.stop()
        elif now - at_work.stopped_at > _PATIENCE and not at_work.killed:
            at_work.killed = True
            at_work.child.stop(kill=True)

    def _settle(self) -> None:
        at_work = self._at_work
        ended = at_work.child.poll() if at_work is not None else None
        if at_work is None or ended is None:
            return
        self._at_work = None
        state = self._states.get(at_work.name)
        assert state is not None  # noqa: S101  it was put when the step began
        self._states.put(at_work.name, _after(state, ended, self._clock()))
        _log.info("step is over", extra={"step": at_work.name, "exit": ended.exit_code, "by": ended.signal})


def _after(state: WarmState, ended: Ended, now: datetime) -> WarmState:
    if ended.message and not ended.signal:
        return state.model_copy(
            update={"ended_at": now, "exit_code": ended.exit_code, "message": ended.message}
        )
    if ended.signal == signal.SIGKILL:
        return taken(state, "its process was killed, as it is where memory runs out", now)
    how = f"by signal {ended.signal}" if ended.signal else f"with exit code {ended.exit_code}"
    return taken(state, f"its process ended {how} and left no answer", now)
