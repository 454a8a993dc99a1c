"""A worker: takes one trial after the other until none is left, and says all the while that it is alive."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Tuning
from modelyard_runtime.errors import PlatformError
from modelyard_trainer import machine
from modelyard_trainer.fit import EstimatorError
from modelyard_trainer.tuning.pruning import is_pruned
from modelyard_trainer.tuning.record import Claim, Ending, LostTrialError, Record, Spent
from modelyard_trainer.tuning.samplers import Question, make_sampler
from modelyard_trainer.tuning.space import fits
from modelyard_trainer.tuning.trial import State, Trial, Values, loss

PULSE_SECONDS = 3.0
_MESSAGE_LIMIT = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """What is searched, and by what."""

    tuning: Tuning
    direction: Direction
    judge: Callable[[Values], Iterator[float]]
    """The metric on each fold in turn, for some values."""
    folds: int


class Worker:
    """One of the workers of a study."""

    def __init__(self, record: Record, search: Search, pulse: Callable[[], None]) -> None:
        self._record = record
        self._search = search
        self._pulse = pulse
        self._sampler = make_sampler(search.tuning)
        self._held: Claim | None = None

    def run(self) -> int:
        """Works until no trial can be taken; returns how many this worker ended.

        Raises DataError and InvalidSpecError where no trial can be judged, PlatformError where Postgres is away for
        long, and passes on whatever ends the process.
        """
        ended = 0
        with self._beating():
            while (claim := self._record.claim()) is not None:
                self._held = claim
                try:
                    self._try(claim)
                    ended += 1
                except LostTrialError as error:
                    _log.warning("%s", error)
                except BaseException:
                    self._give_back(claim)
                    raise
                finally:
                    self._held = None
        return ended

    def _try(self, claim: Claim) -> None:
        began = _Stopwatch()
        values = claim.values
        if values is None:
            values = self._chosen(claim.number)
            self._record.choose(claim, values)
        same = self._record.known(values, claim.number)
        if same is not None:
            ending = Ending(State.COMPLETED, same.value, same_as=same.number)
        else:
            ending = self._judged(claim, values, began)
        self._record.end(claim, ending, began.spent())
        _log.info("trial %d: %s %s", claim.number, ending.state, _told(ending))

    def _chosen(self, number: int) -> Values:
        trials = self._record.trials()
        record = [trial for trial in trials if trial.number < number]
        if number == 0 and (best := self._best_of_earlier(record)) is not None:
            return best
        return self._sampler.propose(Question(self._search.tuning, self._search.direction, number, record))

    def _best_of_earlier(self, record: list[Trial]) -> Values | None:
        """What an earlier job found to be best is worth the first trial, unless every value has its turn anyway."""
        tuning, direction = self._search.tuning, self._search.direction
        if tuning.sampler.grid is not None:
            return None
        found = [
            (loss(trial.value, direction), trial.values)
            for trial in record
            if trial.number < 0 and trial.value is not None and fits(tuning.space, trial.values)
        ]
        return min(found, key=lambda pair: pair[0])[1] if found else None

    def _judged(self, claim: Claim, values: Values, began: _Stopwatch) -> Ending:
        tuning, folds = self._search.tuning, self._search.folds
        seen: list[float] = []
        try:
            for value in self._search.judge(values):
                seen.append(value)
                self._record.judged(claim, seen, began.spent())
                if tuning.pruner is None or len(seen) == folds:
                    continue
                trial = Trial(claim.number, State.RUNNING, values, folds=tuple(seen))
                others = [own for own in self._record.trials() if own.number != claim.number]
                if is_pruned(tuning.pruner, trial, others, folds, self._search.direction):
                    return Ending(State.PRUNED, trial.mean())
        except EstimatorError as error:
            return Ending(State.FAILED, message=error.message[:_MESSAGE_LIMIT])
        return Ending(State.COMPLETED, sum(seen) / len(seen))

    def _give_back(self, claim: Claim) -> None:
        try:
            self._record.release(claim)
        except (LostTrialError, PlatformError) as error:
            _log.warning("trial %d is left to its silence: %s", claim.number, error)

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """A thread that says every few seconds that the trial is worked on."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(PULSE_SECONDS):
                held = self._held
                try:
                    if held is not None:
                        self._record.beat(held)
                    self._pulse()
                except (LostTrialError, PlatformError) as error:
                    _log.warning("%s", error)

        thread = threading.Thread(target=beat, name="pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()


class _Stopwatch:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._cpu = machine.used_so_far().cpu_seconds

    def spent(self) -> Spent:
        return Spent(time.monotonic() - self._wall, machine.used_so_far().cpu_seconds - self._cpu)


def _told(ending: Ending) -> str:
    if ending.same_as is not None:
        return f"{ending.value:.6g}, as trial {ending.same_as} with the same values"
    return ending.message or f"{ending.value:.6g}"
