"""Where everything happens: Postgres, a store and MLflow of the benchmark's own, and the interpreters of the contenders."""

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psycopg import sql

from bringup.paths import REPOSITORY
from modelyard_api.contract.outcome import TrainOutcome, parse_outcome
from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import TrainStep
from modelyard_api.v1alpha1.training_job import DatasetVersion
from tests.bench.data.programs import Ran, run
from tests.bench.training import making
from tests.support.mlflow import MLflowServer
from tests.support.postgres import running_postgres
from tests.support.s3 import running_store
from tests.support.training import TrainerRun

PROJECT = "bench"
_BUILD = REPOSITORY / "build" / "bench"
_PACKAGES = ("operator/api", "images/runtime", "images/trainer")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class RecordedTrial:
    """A completed trial as Postgres has it."""

    values: Mapping[str, Any]
    """By the names of parameters alone."""
    value: float
    ended: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Stage:
    """Servers with a project in each, and a directory for files."""

    trainer: TrainerRun
    directory: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def log(self, name: str) -> Path:
        """A file for what a program has to say; programs at the same time have files of their own."""
        return self.directory / f"{name}.log"

    def made(self, what: str, *arguments: object) -> tuple[Path, DatasetVersion]:
        """Files for scripts in a directory, and the version with the same rows."""
        directory = self.directory / what
        endpoint, login = self.trainer.s3.endpoint(PROJECT), self.trainer.s3.login
        place = {
            making.STORE: endpoint.model_dump_json(by_alias=True),
            making.USER: login.username,
            making.PASSWORD: login.password,
        }
        argv = [sys.executable, "-m", making.__name__, what, directory, *arguments]
        ran = run(argv, self.log("making"), env={**os.environ, **place}, cwd=REPOSITORY)
        return directory, DatasetVersion.model_validate_json(ran.answer)

    def job(self) -> TrainerRun:
        """A TrainingJob that was never there before."""
        number = next(self._numbers)
        directory = self.directory / f"job-{number}"
        directory.mkdir()
        return replace(self.trainer, uid=f"22222222-0000-4000-8000-{number:012d}", directory=directory)

    def carry_out(self, job: TrainerRun, step: TrainStep, *, timed: bool = False) -> Ran:
        """The trainer as its pod runs it, on its image's packages; ``timed`` ones say when their fit began."""
        program: Sequence[object] = (
            (_HERE / "ours" / "first_fit.py",) if timed else ("-m", "modelyard_trainer")
        )
        environment = {PROGRESS_VARIABLE: "0", **job.variables(step), "PYTHONPATH": package_path()}
        log = job.directory / "trainer.log"
        return run([interpreter("trainer"), *program], log, env=environment)

    def trials_of(self, job: TrainerRun) -> list[RecordedTrial]:
        """All trials of a job. Raises RuntimeError where one is not completed."""
        if job.postgres is None:
            raise ValueError("the job has no Postgres")
        server, project = job.postgres
        query = sql.SQL(
            "SELECT state, parameters, value, extract(epoch FROM ended_at) FROM {}.tuning_trials WHERE job_uid = %s"
        )
        with server.administrator() as connection:
            rows: list[tuple[Any, ...]] = connection.execute(
                query.format(sql.Identifier(project.schema)), (job.uid,)
            ).fetchall()
        if any(state != "Completed" for state, *_ in rows):
            raise RuntimeError(f"trials ended otherwise: {rows}")
        return [
            RecordedTrial({path.rpartition(".")[2]: own for path, own in values.items()}, value, float(ended))
            for _, values, value, ended in rows
        ]

    def script(self, name: str, *arguments: object) -> Ran:
        """The script of one's own; ``name`` is that of its log."""
        argv = [interpreter("plain"), _HERE / "plain" / "script.py", *arguments]
        return run(argv, self.log(name), env=_bare(os.environ))


def answer_of(job: TrainerRun) -> TrainOutcome:
    """What the trainer has answered. Raises RuntimeError for anything but a model."""
    text = job.answer_file.read_text()
    outcome = parse_outcome(text)
    if outcome is None or outcome.train is None:
        raise RuntimeError(f"the trainer answered {text}")
    return outcome.train


def interpreter(name: str) -> Path:
    """Python of a contender's own virtual environment, which `hack/bench` makes."""
    return _BUILD / f"venv-{name}" / "bin" / "python"


def package_path() -> str:
    """Where the trainer's packages are, as in its image."""
    return os.pathsep.join(str(REPOSITORY / package) for package in _PACKAGES)


def spec_of(dataset: str, target: str, estimator: Mapping[str, Any], **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A job's spec that draws nothing, since the scripts draw nothing either."""
    return {
        "datasetRef": {"name": dataset, "variant": "v1"},
        "task": "Regression",
        "target": target,
        "features": {"exclude": [making.KEY]},
        "pipeline": {"estimator": estimator},
        "evaluation": {"primary": "rmse", "metrics": ["rmse"], "plots": "None"},
        "register": {"modelName": dataset},
        **fields,
    }


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """Fresh servers for the time of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="modelyard-mlflow-", ignore_cleanup_errors=True) as files,
        running_postgres() as postgres,
        running_store("minio") as s3,
    ):
        server = MLflowServer(Path(files))
        try:
            server.start()
            place = (postgres, postgres.make_project(PROJECT))
            yield Stage(TrainerRun(directory, s3, server.make_project(PROJECT), postgres=place), directory)
        finally:
            server.stop()


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """Without packages of others."""
    return {name: value for name, value in environment.items() if name != "PYTHONPATH"}
