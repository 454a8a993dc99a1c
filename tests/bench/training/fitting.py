"""One job: how soon its program fits, and the memory that many rows take, beside a script that fits the same model."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from modelyard_api.v1alpha1.training_job import DatasetVersion
from tests.bench.data.names import rows_in_words
from tests.bench.data.programs import Ran
from tests.bench.figures import Figure
from tests.bench.training.making import ROWS_TARGET
from tests.bench.training.names import MODELYARD, PLAIN
from tests.bench.training.stage import Stage, answer_of, spec_of

START_CASE = "start of a job on 20,640 rows"
IMPORTS = "program's start to the end of its imports"
FIRST_FIT = "program's start to the first fit"
MEMORY = "peak memory"
MEMORY_RELATIVE = "peak memory relative to the plain script"
ESTIMATORS = ("LinearRegression", "HistGradientBoostingRegressor")
"""One that takes little memory itself, and one that many rows are fitted by."""


def memory_case(rows: int, estimator: str) -> str:
    """Name of the case."""
    return f"{rows_in_words(rows)} from Parquet, {estimator}"


def starts(stage: Stage, houses: tuple[Path, DatasetVersion], number: int) -> Iterator[Figure]:
    """Both contenders once, fresh interpreters with warm files."""
    directory, data = houses
    contenders: dict[str, Callable[[], tuple[float, Ran]]] = {
        MODELYARD: lambda: _by_trainer(stage, "houses", data, ESTIMATORS[0]),
        PLAIN: lambda: _by_script(stage, directory / "houses.parquet", ESTIMATORS[0]),
    }
    for name in list(contenders) if number % 2 == 0 else list(contenders)[::-1]:
        started, ran = contenders[name]()
        said = json.loads(ran.answer)
        yield Figure(START_CASE, name, IMPORTS, "s", said["imported"] - started)
        yield Figure(START_CASE, name, FIRST_FIT, "s", said["fitting"] - started)
        yield Figure(START_CASE, name, "wall of the program", "s", ran.wall_seconds)


def memory(stage: Stage, rows: tuple[Path, DatasetVersion], count: int, estimator: str) -> Iterator[Figure]:
    """The same rows fitted by both."""
    directory, data = rows
    title = memory_case(count, estimator)
    found = {
        MODELYARD: _by_trainer(stage, "rows", data, estimator)[1],
        PLAIN: _by_script(stage, directory / "rows.parquet", estimator)[1],
    }
    for name, ran in found.items():
        said = json.loads(ran.answer)
        yield Figure(title, name, MEMORY, "MiB", ran.peak_mebibytes)
        yield Figure(title, name, "time of the fit", "s", said["fitted"] - said["fitting"])
        yield Figure(title, name, "wall of the program", "s", ran.wall_seconds)
        yield Figure(title, name, "CPU of the program", "s", ran.processor_seconds)
    ratio = found[MODELYARD].peak_mebibytes / found[PLAIN].peak_mebibytes
    yield Figure(title, MODELYARD, MEMORY_RELATIVE, "", ratio)


def _by_trainer(stage: Stage, dataset: str, data: DatasetVersion, estimator: str) -> tuple[float, Ran]:
    """When it was started, and how it went."""
    job = stage.job()
    step = job.step(spec_of(dataset, ROWS_TARGET, {"class": estimator}), data)
    started = time.time()
    ran = stage.carry_out(job, step, timed=True)
    answer_of(job)
    return started, ran


def _by_script(stage: Stage, file: Path, estimator: str) -> tuple[float, Ran]:
    started = time.time()
    return started, stage.script("fit", "fit", file, ROWS_TARGET, estimator)
