"""Running the trainer as its pod does, on versions that are published for the test."""

import io
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_api.contract.manifest import Manifest, Recipe
from modelyard_api.contract.outcome import (
    TERMINATION_VARIABLE,
    Outcome,
    ReplayOutcome,
    TrainOutcome,
    parse_outcome,
)
from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import (
    CREDENTIALS_VARIABLE,
    MLFLOW_PASSWORD,
    MLFLOW_USERNAME,
    POSTGRES_PASSWORD,
    POSTGRES_USERNAME,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    STEP_VARIABLE,
    WORKER_VARIABLE,
    ContainerStep,
    Owner,
    ReplayStep,
    Step,
    TrainStep,
)
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.training_job import ContainerSpec, DatasetVersion, TrainingJobSpec
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.digest import content_digest
from modelyard_runtime.manifests import write_manifest, write_part
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.versions import write_version
from tests.support.forking import Program
from tests.support.mlflow import MLflowProject
from tests.support.postgres import PostgresServer, Project, postgres_endpoint
from tests.support.programs import Started, start_cold, start_forked
from tests.support.s3 import S3Server

IMAGE = "modelyard/trainer:tests"
_TRAINER = Program(
    "modelyard_trainer",
    imports=(
        *("modelyard_trainer.archive", "modelyard_trainer.evaluation.plots", "tests.support.pauses"),
        *("httpcore", "pyarrow.dataset"),
    ),
)
DATASET_UID = "33333333-0000-4000-8000-000000000000"


def publish(
    store: ObjectStore,
    table: pa.Table,
    *,
    key: Sequence[str] = ("row",),
    dataset: str = "data",
    sequence: int = 1,
    split: Split | None = None,
) -> DatasetVersion:
    """Publishes rows as a loader would."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    prefix = f"{store.endpoint.prefix}/datasets/{dataset}/variants/v1"
    manifest = Manifest(
        project=store.endpoint.prefix,
        dataset=dataset,
        variant="v1",
        sequence=sequence,
        key=list(key),
        columns=canonical_columns(table.schema),
        rows=table.num_rows,
        parts=[write_part(store, prefix, buffer.getvalue(), table.num_rows)],
        recipe=Recipe(digest="0" * 64, engine="test"),
        content_digest=content_digest(table, key).root,
        split=split or Split(),
        audit_head="sha256:" + "0" * 64,
    )
    written = write_manifest(store, manifest)
    write_version(store, dataset, DATASET_UID, manifest, written.sha256)
    return DatasetVersion(variant="v1", sequence=sequence, digest=manifest.content_digest, uri=written.uri)


@dataclass(frozen=True)
class Finished:
    """How a trainer ended."""

    exit_status: int
    outcome: Outcome | None
    log: str

    @property
    def trained(self) -> TrainOutcome:
        """The answer of a trainer that was successful."""
        assert self.outcome is not None, self.log
        assert self.outcome.train is not None, (self.outcome, self.log)
        return self.outcome.train

    @property
    def replayed(self) -> ReplayOutcome:
        """The answer of a replay that came to its end."""
        assert self.outcome is not None, self.log
        assert self.outcome.replay is not None, (self.outcome, self.log)
        return self.outcome.replay

    @property
    def complaint(self) -> str:
        """The sentence of a trainer that failed."""
        assert self.outcome is not None, self.log
        assert self.outcome.failure is not None, self.outcome
        return self.outcome.failure.sentence()


@dataclass(frozen=True)
class TrainerRun:
    """A TrainingJob's surroundings: a project of its own in S3 and MLflow, and a directory for files."""

    directory: Path
    s3: S3Server
    mlflow: MLflowProject
    uid: str = "22222222-0000-4000-8000-000000000000"
    environment: Mapping[str, str] = field(default_factory=dict)
    postgres: tuple[PostgresServer, Project] | None = None
    """Where trials are recorded."""

    def worker(self, number: int) -> "TrainerRun":
        """One of the workers of an Indexed Job, with an answer of its own."""
        directory = self.directory / f"worker-{number}"
        directory.mkdir(exist_ok=True)
        environment = {**self.environment, WORKER_VARIABLE: str(number), PROGRESS_VARIABLE: "0"}
        return replace(self, directory=directory, environment=environment)

    @property
    def store(self) -> ObjectStore:
        """The project's part of the store."""
        return self.s3.store(self.mlflow.name)

    def step(self, spec: Mapping[str, Any], data: DatasetVersion | None, *, attempt: int = 1) -> TrainStep:
        """The step that the operator would ask for; ``spec`` is as a user writes it."""
        return TrainStep(
            owner=Owner(
                project=self.mlflow.name,
                name="job",
                uid=self.uid,
                generation=1,
                attempt=attempt,
                image=IMAGE,
            ),
            spec=TrainingJobSpec.model_validate(
                {"datasetRef": {"name": "data", "variant": data.variant if data else "v1"}, **spec}
            ),
            data=data,
            dataset_uid=DATASET_UID,
            s3=self.s3.endpoint(self.mlflow.name),
            mlflow=self.mlflow.endpoint(),
            postgres=postgres_endpoint(*self.postgres) if self.postgres is not None else None,
        )

    def replay_step(self, run_id: str, *, uid: str, image: str = IMAGE) -> ReplayStep:
        """The step by which the operator would ask for a replay; each replay is of a resource of its own."""
        return ReplayStep(
            owner=Owner(project=self.mlflow.name, name="again", uid=uid, generation=1, image=image),
            run_id=run_id,
            s3=self.s3.endpoint(self.mlflow.name),
            mlflow=self.mlflow.endpoint(),
        )

    def own_step(self, spec: Mapping[str, Any], data: DatasetVersion, *, attempt: int = 1) -> ContainerStep:
        """What the operator would ask for before and behind a container with own code."""
        given = {"datasetRef": {"name": "data", "variant": data.variant}, **spec}
        return ContainerStep(
            owner=Owner(
                project=self.mlflow.name, name="job", uid=self.uid, generation=1, attempt=attempt, image=IMAGE
            ),
            spec=ContainerSpec.model_validate(given),
            data=data,
            dataset_uid=DATASET_UID,
            s3=self.s3.endpoint(self.mlflow.name),
            mlflow=self.mlflow.endpoint(),
        )

    def start(self, step: TrainStep | ReplayStep | Step, *, cold: bool = False) -> Started:
        """Starts the trainer; a cold one in an interpreter of its own."""
        start = start_cold if cold else start_forked
        return start(_TRAINER, self.variables(step), self.directory)

    def finish(self, started: Started, seconds: float = 120) -> Finished:
        """Waits for the end of a trainer and reads its answer."""
        status = started.process.wait(seconds)
        answer = self.answer_file
        outcome = parse_outcome(answer.read_text()) if answer.exists() else None
        return Finished(status, outcome, started.log)

    def run(self, step: TrainStep | ReplayStep | Step, *, cold: bool = False) -> Finished:
        """Carries a step out."""
        self.answer_file.unlink(missing_ok=True)
        return self.finish(self.start(step, cold=cold))

    @property
    def answer_file(self) -> Path:
        """Where its answer is left."""
        return self.directory / "termination-log"

    def _postgres_login(self) -> list[tuple[str, str]]:
        if self.postgres is None:
            return []
        project = self.postgres[1]
        return [(POSTGRES_USERNAME, project.username), (POSTGRES_PASSWORD, project.password)]

    def variables(self, step: TrainStep | ReplayStep | Step) -> dict[str, str]:
        """Environment of a pod that carries a step out."""
        secrets = self.directory / "credentials"
        secrets.mkdir(exist_ok=True)
        for name, value in (
            (S3_ACCESS_KEY, self.s3.login.username),
            (S3_SECRET_KEY, self.s3.login.password),
            (MLFLOW_USERNAME, self.mlflow.login.username),
            (MLFLOW_PASSWORD, self.mlflow.login.password),
            *self._postgres_login(),
        ):
            (secrets / name).write_text(value)
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            STEP_VARIABLE: _asked(step).model_dump_json(by_alias=True, exclude_unset=True),
            CREDENTIALS_VARIABLE: str(secrets),
            TERMINATION_VARIABLE: str(self.answer_file),
            **self.environment,
        }


def _asked(step: TrainStep | ReplayStep | Step) -> Step:
    if isinstance(step, Step):
        return step
    return Step(replay=step) if isinstance(step, ReplayStep) else Step(train=step)
