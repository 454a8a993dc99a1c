"""Datasets of the benchmark: steps as the operator asks for them, carried out by the loader of its image's packages."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard_api.contract.outcome import TERMINATION_VARIABLE, LoadOutcome, parse_outcome
from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import (
    CREDENTIALS_VARIABLE,
    STEP_VARIABLE,
    LoadStep,
    Owner,
    PostgresEndpoint,
    Step,
)
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.sources import Source
from modelyard_api.v1alpha1.transforms import Variant
from tests.bench.data.programs import Ran, run
from tests.bench.data.rows import KEY
from tests.bench.data.stage import Stage, interpreter, package_path
from tests.support.loading import mount_credentials
from tests.support.postgres import DATABASE

_PROGRAM = Path(__file__).parent / "ours" / "step.py"
V1 = ({"name": "v1"},)


@dataclass(frozen=True)
class BenchDataset:
    """A Dataset: a source, variants, and the steps done so far are those of its ledger."""

    stage: Stage
    name: str
    source: Source
    rows: int
    """Rows of the source."""
    variants: Sequence[dict[str, Any]] = V1

    def with_variants(self, variants: Sequence[dict[str, Any]]) -> "BenchDataset":
        """The same Dataset after an edit."""
        return dataclasses.replace(self, variants=variants)

    def step(
        self, sequence: int = 1, percent: str = "100", *, refresh: bool = False
    ) -> tuple[Ran, LoadOutcome]:
        """Carries one step out."""
        asked = LoadStep(
            owner=Owner(
                project=self.stage.project.schema, name=self.name, uid=f"uid-of-{self.name}", generation=1
            ),
            source=self.source,
            primary_key=[KEY],
            variants=[Variant.model_validate(each) for each in self.variants],
            split=Split(),
            postgres=PostgresEndpoint(
                host="127.0.0.1",
                port=self.stage.postgres.port,
                database=DATABASE,
                schema_=self.stage.project.schema,
            ),
            s3=self.stage.s3.endpoint(self.stage.project.schema),
            sequence=sequence,
            percent=percent,
            refresh=refresh,
        )
        answer = self.stage.directory / f"{self.name}.outcome"
        answer.unlink(missing_ok=True)
        ran = run([interpreter("loader"), _PROGRAM], self.stage.log, env=self._environment(asked, answer))
        outcome = parse_outcome(answer.read_text())
        if outcome is None or outcome.load is None:
            raise RuntimeError(f"{self.name}: the loader answered {answer.read_text()}")
        return ran, outcome.load

    def _environment(self, step: LoadStep, answer: Path) -> dict[str, str]:
        document = Step(load=step).model_dump_json(by_alias=True, exclude_unset=True)
        return {
            **self.stage.environment,
            "PYTHONPATH": package_path(),
            STEP_VARIABLE: document,
            CREDENTIALS_VARIABLE: str(
                mount_credentials(self.stage.directory, self.stage.project, self.stage.s3)
            ),
            TERMINATION_VARIABLE: str(answer),
            PROGRESS_VARIABLE: "0",
        }
