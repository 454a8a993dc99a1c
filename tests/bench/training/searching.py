"""Sixty trials: two pods' programs, beside a script in two processes and beside a process for each trial."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from modelyard_api.v1alpha1.training_job import DatasetVersion
from tests.bench.data.programs import Ran
from tests.bench.figures import Figure
from tests.bench.training.making import HOUSES_TARGET, combinations
from tests.bench.training.names import FOLDS, MODELYARD, PER_TRIAL, PLAIN, SEED
from tests.bench.training.stage import Stage, answer_of, spec_of

WORKERS = 2
MOST_TRIALS = len(combinations())
WALL = "wall, start to the best model"
TRIALS_WALL = "wall, start to the end of the last trial"
RELATIVE = "wall relative to the plain script"
TRIALS_RELATIVE = "wall of the trials relative to the plain script"
WORK = "trees of 31 leaves, thousands"
WORK_RELATIVE = "wall relative to the plain script, for as much work"
CPU_RELATIVE = "CPU relative to the plain script, for as much work"
TIMES_FASTER = "trials, times faster than a process a trial"
TIMES = 5
BREAK_EVEN = f"a pod's start from which it is {TIMES} times faster"
_SAME = 1e-9
_TREE, _USUAL = 21, 31
"""Leaves that take as long as all that a tree takes besides, by fits of 7 to 127 leaves to these rows; LightGBM's default."""
_GRID_SPACE = [
    {"parameter": "estimator.n_estimators", "integer": {"low": 100, "high": 300, "step": 50}},
    {"parameter": "estimator.num_leaves", "integer": {"low": 15, "high": 60, "step": 15}},
    {"parameter": "estimator.min_child_samples", "integer": {"low": 10, "high": 30, "step": 10}},
]
_TPE_SPACE = [
    {"parameter": "estimator.n_estimators", "integer": {"low": 50, "high": 400}},
    {"parameter": "estimator.num_leaves", "integer": {"low": 7, "high": 127, "log": True}},
    {"parameter": "estimator.learning_rate", "number": {"low": "0.01", "high": "0.3", "log": True}},
    {"parameter": "estimator.min_child_samples", "integer": {"low": 5, "high": 100, "log": True}},
    {"parameter": "estimator.colsample_bytree", "number": {"low": "0.5", "high": "1.0"}},
]
WAYS: Mapping[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "grid": ({"grid": {}}, _GRID_SPACE),
    "tpe": ({"tpe": {"seed": SEED}}, _TPE_SPACE),
}
_WORDS = {"grid": "every combination", "tpe": "TPE"}


@dataclass(frozen=True)
class Searched:
    """A study that came to its end."""

    ran: Sequence[Ran]
    seconds: float
    """From the start of its first program to the end of its last trial."""
    wall: float
    values: Mapping[str, float]
    """What each combination came to, by its text."""
    rmse: float | None = None
    """Of the best model on the test part, where one was made."""

    @property
    def processor_seconds(self) -> float:
        """Of all programs."""
        return sum(ran.processor_seconds for ran in self.ran)

    @property
    def work(self) -> float:
        """What was tried, as so many trees of the usual size."""
        tried = [json.loads(text) for text in self.values]
        leaves = (own["n_estimators"] * (own["num_leaves"] + _TREE) for own in tried)
        return float(sum(leaves)) / (_USUAL + _TREE)


def case(way: str, trials: int) -> str:
    """Name of the case."""
    return f"{trials} trials of LightGBM, {FOLDS} folds, {_WORDS[way]}"


def one_round(
    stage: Stage, houses: tuple[Path, DatasetVersion], way: str, trials: int, number: int
) -> list[Figure]:
    """Every contender once; who goes first changes from one round to the next."""
    contenders: dict[str, Callable[[], Searched]] = {
        MODELYARD: partial(_by_trainers, stage, houses[1], way, trials),
        PLAIN: partial(_by_script, stage, houses[0], way, trials, number),
    }
    if way == "grid":
        contenders[PER_TRIAL] = partial(_by_process_a_trial, stage, houses[0], trials)
    names = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
    found = {name: contenders[name]() for name in names}
    if way == "grid":
        check_same(found)
    return list(figures(case(way, trials), {name: found[name] for name in contenders}))


def figures(title: str, found: Mapping[str, Searched]) -> Iterator[Figure]:
    for name, searched in found.items():
        if searched.rmse is not None:
            yield Figure(title, name, WALL, "s", searched.wall)
        yield Figure(title, name, TRIALS_WALL, "s", searched.seconds)
        yield Figure(title, name, "CPU of all programs", "s", searched.processor_seconds)
        yield Figure(title, name, WORK, "", searched.work / 1000)
        peak = max(ran.peak_mebibytes for ran in searched.ran)
        yield Figure(title, name, "peak memory of a program", "MiB", peak)
        yield Figure(title, name, "best error on the folds", "", min(searched.values.values()))
        if searched.rmse is not None:
            yield Figure(title, name, "error of the best model on the test part", "", searched.rmse)
    ours, plain = found[MODELYARD], found[PLAIN]
    yield Figure(title, MODELYARD, RELATIVE, "", ours.wall / plain.wall)
    yield Figure(title, MODELYARD, TRIALS_RELATIVE, "", ours.seconds / plain.seconds)
    share = plain.work / ours.work
    cpu = ours.processor_seconds / plain.processor_seconds
    yield Figure(title, MODELYARD, WORK_RELATIVE, "", share * ours.wall / plain.wall)
    yield Figure(title, MODELYARD, CPU_RELATIVE, "", share * cpu)
    if PER_TRIAL in found:
        yield Figure(title, MODELYARD, TIMES_FASTER, "", found[PER_TRIAL].seconds / ours.seconds)
        start = break_even(ours.seconds, found[PER_TRIAL].seconds, len(ours.values))
        if math.isfinite(start):
            yield Figure(title, MODELYARD, BREAK_EVEN, "s", start)


def _by_trainers(stage: Stage, data: DatasetVersion, way: str, trials: int) -> Searched:
    sampler, space = WAYS[way]
    tuning = {
        "trials": trials,
        "parallelism": WORKERS,
        "sampler": sampler,
        "objective": {"metric": "rmse", "folds": FOLDS},
        "space": space,
    }
    estimator = {"class": "LGBMRegressor", "params": {"random_state": SEED}}
    job = stage.job()
    step = job.step(spec_of("houses", HOUSES_TARGET, estimator, tuning=tuning), data)
    workers = [job.worker(number) for number in range(WORKERS)]
    started = time.time()
    with ThreadPoolExecutor(WORKERS) as pool:
        ran = list(pool.map(lambda worker: stage.carry_out(worker, step), workers))
    wall = time.time() - started
    rows = stage.trials_of(job)
    return Searched(
        ran,
        max(row.ended for row in rows) - started,
        wall,
        {_text(row.values): row.value for row in rows},
        answer_of(workers[0]).metrics["rmse"],
    )


def _by_script(stage: Stage, directory: Path, way: str, trials: int, number: int) -> Searched:
    journal = directory / f"{way}.journal"
    journal.unlink(missing_ok=True)
    started = time.time()
    with ThreadPoolExecutor(WORKERS) as pool:
        asked = [("search", directory, way, trials, process) for process in range(WORKERS)]
        ran = list(pool.map(lambda each: stage.script(f"search-{number}-{each[-1]}", *each), asked))
    wall = time.time() - started
    answer = json.loads(ran[0].answer)
    values = {_text(each["values"]): each["value"] for each in answer["trials"]}
    return Searched(ran, answer["ended"] - started, wall, values, answer["rmse"])


def _by_process_a_trial(stage: Stage, directory: Path, trials: int) -> Searched:
    """As many at a time as there are workers. Who says what is tried, and a pod's start, cost nothing here."""
    started = time.time()
    with ThreadPoolExecutor(WORKERS) as pool:
        ran = list(
            pool.map(lambda each: stage.script(f"trial-{each}", "trial", directory, each), range(trials))
        )
    seconds = time.time() - started
    answers = [json.loads(each.answer) for each in ran]
    return Searched(ran, seconds, seconds, {_text(each["values"]): each["value"] for each in answers})


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def break_even(ours: float, a_process_each: float, trials: int) -> float:
    """Seconds that a pod takes to start from which all trials take so many times as long with a pod for each.

    Each of the workers waits for one pod here, and for its share of all of them there; no start is enough where that
    share is too small.
    """
    lacking = TIMES * ours - a_process_each
    return max(0.0, lacking / (trials / WORKERS - TIMES)) if trials > TIMES * WORKERS else math.inf


def check_same(found: Mapping[str, Searched]) -> None:
    """Where everybody tries the same, everybody must find the same: else they do not do the same work."""
    ours = found[MODELYARD].values
    for name, other in found.items():
        if not ours.keys() <= other.values.keys():
            raise RuntimeError(f"{name} has not tried the same {len(ours)} combinations")
        worst = max(abs(other.values[key] - value) for key, value in ours.items())
        if worst > _SAME:
            raise RuntimeError(f"{name} differs by {worst} in what a combination is worth")
