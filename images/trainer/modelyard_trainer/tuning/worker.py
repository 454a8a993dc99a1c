"""A worker: takes one trial after the other until none is left, and says all the while that it is alive."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Tuning
from modelyard_runtime.errors import PlatformError
from modelyard_trainer import machine
from modelyard_trainer.fit import EstimatorError
from modelyard_trainer.tuning.claims import Claim, Done, Ended, Ending, LostTrialError
from modelyard_trainer.tuning.pruning import is_pruned
from modelyard_trainer.tuning.record import Record, Turn
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
        self._held: _Held | None = None

    def run(self) -> int:
        """Works until no trial can be taken; returns how many this worker ended.

        Raises DataError and InvalidSpecError where no trial can be judged, PlatformError where Postgres is away for
        long, and passes on whatever ends the process.
        """
        ended = 0
        with self._beating():
            claim = self._record.claim()
            while claim is not None:
                try:
                    turn = self._turn(claim)
                except LostTrialError as error:
                    _log.warning("%s", error)
                    claim = self._record.claim()
                    continue
                except BaseException:
                    self._give_back(claim)
                    raise
                ended += turn.written
                claim = turn.claim
        return ended

    def _turn(self, claim: Claim) -> Turn:
        held = self._held = _Held(claim)
        try:
            ending = self._tried(held)
        finally:
            self._held = None
        turn = self._record.end(Ended(claim, ending, held.done()))
        if turn.written:
            _log.info("trial %d: %s %s", claim.number, ending.state, _told(ending))
        else:
            _log.warning("%s", claim.lost)
        return turn

    def _tried(self, held: _Held) -> Ending:
        values = held.claim.values
        if values is None:
            values = self._chosen(held.claim)
        same = self._record.choose(held.claim, values)
        if same is not None:
            return Ending(State.COMPLETED, same.value, same_as=same.number)
        return self._judged(held, values)

    def _chosen(self, claim: Claim) -> Values:
        if claim.number == 0 and (best := self._best_of_earlier(claim.before)) is not None:
            return best
        question = Question(self._search.tuning, self._search.direction, claim.number, claim.before)
        return self._sampler.propose(question)

    def _best_of_earlier(self, record: Sequence[Trial]) -> Values | None:
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

    def _judged(self, held: _Held, values: Values) -> Ending:
        tuning, folds = self._search.tuning, self._search.folds
        try:
            for value in self._search.judge(values):
                held.folds.append(value)
                if tuning.pruner is None or len(held.folds) == folds:
                    continue
                others = self._record.judged(held.claim, held.done())
                trial = Trial(held.claim.number, State.RUNNING, values, folds=tuple(held.folds))
                if is_pruned(tuning.pruner, trial, others, folds, self._search.direction):
                    return Ending(State.PRUNED, trial.mean())
        except EstimatorError as error:
            return Ending(State.FAILED, message=error.message[:_MESSAGE_LIMIT])
        return Ending(State.COMPLETED, sum(held.folds) / len(held.folds))

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
                        self._record.beat(held.claim, held.done)
                    self._pulse()
                except LostTrialError as error:
                    # A beat that comes after the trial's end finds nothing either.
                    if held is self._held:
                        _log.warning("%s", error)
                except PlatformError as error:
                    _log.warning("%s", error)

        thread = threading.Thread(target=beat, name="pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()


class _Held:
    """A trial in the worker's hands, and the time since it was taken up."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.folds: list[float] = []
        self._wall = time.monotonic()
        self._cpu = machine.used_so_far().cpu_seconds

    def done(self) -> Done:
        seconds, cpu = time.monotonic() - self._wall, machine.used_so_far().cpu_seconds - self._cpu
        return Done(tuple(self.folds), seconds, cpu)


def _told(ending: Ending) -> str:
    if ending.same_as is not None:
        return f"{ending.value:.6g}, as trial {ending.same_as} with the same values"
    return ending.message or f"{ending.value:.6g}"
