"""Running the loader as its pod does: a step in the environment, secrets as files, the answer in a file."""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard_api.contract.outcome import TERMINATION_VARIABLE, LoadOutcome, Outcome, parse_outcome
from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import (
    CREDENTIALS_VARIABLE,
    POSTGRES_PASSWORD,
    POSTGRES_USERNAME,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    STEP_VARIABLE,
    LoadStep,
    Owner,
    PostgresEndpoint,
    S3Endpoint,
    Step,
)
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.sources import BuiltinName, BuiltinSource, Source
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_loader.load import Loader
from modelyard_loader.surroundings import Surroundings
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.credentials import Login
from modelyard_runtime.s3 import ObjectStore
from tests.support.forking import Program
from tests.support.postgres import DATABASE, PostgresServer, Project
from tests.support.programs import Started, start_cold, start_forked
from tests.support.s3 import S3Server

_LOADER = Program("modelyard_loader", ("-W", "error"), imports=("pandas", "httpcore"))
"""DuckDB imports pandas where it finds it, as it does on this machine alone: no image of the loader has it."""


def california_variants(limit: str = "5.0") -> list[dict[str, Any]]:
    """The variants of the sample; another limit makes another recipe."""
    return [
        {"name": "v1"},
        {
            "name": "v2",
            "from": "v1",
            "transforms": [
                {"filter": {"where": f"MedHouseVal <= {limit}"}},
                {"filter": {"where": "Longitude < -119.0"}},
                {"dropMissing": {}},
            ],
        },
        {
            "name": "v3",
            "from": "v2",
            "transforms": [
                {"derive": {"column": "rooms_per_household", "as": "AveRooms * AveOccup"}},
                {"derive": {"column": "bedrooms_ratio", "as": "AveBedrms / AveRooms"}},
                {"derive": {"column": "population_density", "as": "Population / AveOccup"}},
                {
                    "bin": {
                        "column": "MedInc",
                        "into": "income_category_encoded",
                        "edges": ["0", "2.5", "4.5", "6.5"],
                        "openEnded": True,
                    }
                },
            ],
        },
    ]


CALIFORNIA_VARIANTS = california_variants()


def variants(documents: Sequence[object]) -> list[Variant]:
    """Variants as a user writes them."""
    return [Variant.model_validate(document) for document in documents]


def mount_credentials(directory: Path, project: Project, store: S3Server) -> Path:
    """Writes the project's secret files below a directory as a pod mounts them; returns where they are."""
    secrets = directory / "credentials"
    secrets.mkdir(exist_ok=True)
    for name, value in (
        (POSTGRES_USERNAME, project.username),
        (POSTGRES_PASSWORD, project.password),
        (S3_ACCESS_KEY, store.login.username),
        (S3_SECRET_KEY, store.login.password),
    ):
        (secrets / name).write_text(value)
    return secrets


@dataclass(frozen=True)
class Finished:
    """How a loader ended."""

    exit_status: int
    outcome: Outcome | None
    log: str


@dataclass(frozen=True)
class LoaderRun:
    """A Dataset's surroundings: a project of its own in both stores, and a directory for files."""

    directory: Path
    postgres: PostgresServer
    s3: S3Server
    project: Project
    source: BuiltinName = BuiltinName.CALIFORNIA_HOUSING
    name: str = "california-housing"
    uid: str = "11111111-0000-4000-8000-000000000000"
    primary_key: list[str] = field(default_factory=lambda: ["row"])

    def step(self, documents: Sequence[object] = CALIFORNIA_VARIANTS, *, generation: int = 1) -> LoadStep:
        """The step that the operator would ask for."""
        return LoadStep(
            owner=Owner(
                project=self.project.schema,
                name=self.name,
                uid=self.uid,
                generation=generation,
                image="modelyard/loader:tests",
            ),
            source=Source(builtin=BuiltinSource(name=self.source)),
            primary_key=self.primary_key,
            variants=variants(documents),
            split=Split(),
            postgres=PostgresEndpoint(
                host="127.0.0.1", port=self.postgres.port, database=DATABASE, schema_=self.project.schema
            ),
            s3=self.endpoint(),
        )

    def here(self, step: LoadStep, secrets: Path = Path()) -> LoadOutcome:
        """Carries a step out in this process, which spares an interpreter. ``secrets`` are those of the source."""
        with tempfile.TemporaryDirectory(dir=self.directory) as scratch:
            login = Login(self.project.username, self.project.password)
            surroundings = Surroundings(
                ObjectStore(step.s3, self.s3.login), Postgres(step.postgres, login), Path(scratch), secrets
            )
            outcome = Loader(step, surroundings).run().load
        assert outcome is not None
        return outcome

    def endpoint(self) -> S3Endpoint:
        """The project's part of the store."""
        return self.s3.endpoint(self.project.schema)

    def start(self, step: LoadStep, changes: Mapping[str, str] | None = None) -> Started:
        """Starts the loader, with these changes of its environment."""
        environment = {**self._environment(step), **(changes or {})}
        return start_forked(_LOADER, environment, self.directory)

    def start_cold(
        self, step: LoadStep, *, within: Sequence[str] = (), changes: Mapping[str, str] | None = None
    ) -> Started:
        """Starts the loader in an interpreter of its own, ``within`` another program, if given."""
        environment = {**self._environment(step), **(changes or {})}
        return start_cold(_LOADER, environment, self.directory, within)

    def finish(self, started: Started, seconds: float = 120) -> Finished:
        """Waits for the end of a loader and reads its answer."""
        status = started.process.wait(seconds)
        answer = self._answer
        outcome = parse_outcome(answer.read_text()) if answer.exists() else None
        return Finished(status, outcome, started.log)

    def run(self, step: LoadStep | None = None, *, cold: bool = False) -> Finished:
        """Carries a step out."""
        self._answer.unlink(missing_ok=True)
        start = self.start_cold if cold else self.start
        return self.finish(start(step or self.step()))

    @property
    def _answer(self) -> Path:
        return self.directory / "termination-log"

    def mounted(self) -> Path:
        """Directory with the project's secret files, as a pod mounts them."""
        return mount_credentials(self.directory, self.project, self.s3)

    def _environment(self, step: LoadStep) -> dict[str, str]:
        document = Step(load=step).model_dump_json(by_alias=True, exclude_unset=True)
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            STEP_VARIABLE: document,
            CREDENTIALS_VARIABLE: str(self.mounted()),
            TERMINATION_VARIABLE: str(self._answer),
            PROGRESS_VARIABLE: "0",
        }
