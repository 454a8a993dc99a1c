"""Steps of a ModelPromotion: small Jobs that find something out about a candidate, or record a champion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from modelyard_api import labels
from modelyard_api.contract.steps import (
    ChampionEntry,
    ChampionsStep,
    ImprovementStep,
    InspectionStep,
    Step,
    StoredBundle,
)
from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.common import JobOptions
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec, ServedModel
from modelyard_operator.objects.gates import Wanted
from modelyard_operator.objects.registry import Version
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.pods import MLFLOW_KEYS, POSTGRES_KEYS, S3_KEYS
from modelyard_operator.resources.step_job import StepJob
from modelyard_operator.resources.steps import mlflow_endpoint, owner_of, postgres_endpoint, s3_endpoint
from modelyard_operator.settings import PodSettings, Settings

OPTIONS = JobOptions()


@dataclass(frozen=True)
class Errand:
    """A step to be carried out once, however often it is asked for."""

    step: Callable[[int], Step]
    """The step of an attempt."""
    pod: PodSettings
    keys: tuple[str, ...]
    identity: str
    """What it is for; the same errand has the same Job."""

    @property
    def marks(self) -> dict[str, str]:
        """Annotations by which its Jobs are found again."""
        return {labels.RECIPE: self.identity}

    def job(self, parent: Parent, attempt: int, failures: int) -> StepJob:
        """The Job of an attempt."""
        return StepJob(
            parent=parent,
            identity=(self.identity,),
            attempt=attempt,
            step=self.step(attempt),
            options=OPTIONS,
            pod=self.pod,
            keys=self.keys,
            marks={**self.marks, labels.FAILURES: str(failures)},
        )


def improvement_errand(
    parent: Parent, candidate: Version, champion: ServedModel, wanted: Wanted, settings: Settings
) -> Errand:
    """Compares the answers of two runs."""

    def step(attempt: int) -> Step:
        return Step(
            improvement=ImprovementStep(
                owner=owner_of(parent, attempt, settings.trainer.image),
                candidate_run=candidate.run_id,
                champion_run=champion.run_id,
                metrics=list(wanted.metrics),
                s3=s3_endpoint(parent.namespace, settings),
                mlflow=mlflow_endpoint(parent.namespace, settings),
            )
        )

    asked = [metric.to_wire() for metric in wanted.metrics]
    identity = _identity("improvement", parent, candidate.run_id, champion.run_id, asked)
    return Errand(step, settings.trainer, (*S3_KEYS, *MLFLOW_KEYS), identity)


def inspection_errand(
    parent: Parent, candidate: Version, champion: ServedModel | None, settings: Settings
) -> Errand:
    """Looks at bundles in the server's image. Without a champion, or where that is the candidate, at one alone."""
    rival = champion if champion is not None and champion.version != candidate.version else None
    first = StoredBundle(
        version=candidate.version, uri=candidate.bundle_uri or "", digest=candidate.model_digest or ""
    )
    second = (
        StoredBundle(version=rival.version, uri=rival.bundle_uri, digest=rival.model_digest)
        if rival is not None
        else None
    )

    def step(attempt: int) -> Step:
        return Step(
            inspection=InspectionStep(
                owner=owner_of(parent, attempt, settings.server.image),
                candidate=first,
                champion=second,
                s3=s3_endpoint(parent.namespace, settings),
            )
        )

    digests = [first.digest, second.digest if second is not None else "", settings.server.image]
    return Errand(step, settings.server, S3_KEYS, _identity("inspection", parent, *digests))


def champions_errand(
    parent: Parent, spec: ModelPromotionSpec, missing: Sequence[ServedModel], settings: Settings
) -> Errand:
    """Appends champions to the history in Postgres; ``missing`` is not empty, the oldest comes first."""

    def step(attempt: int) -> Step:
        return Step(
            champions=ChampionsStep(
                owner=owner_of(parent, attempt, settings.trainer.image),
                model_name=spec.model_name,
                stage=spec.stage,
                entries=[_entry(served) for served in missing],
                postgres=postgres_endpoint(parent.namespace, settings),
            )
        )

    # Not by the generation: an edit of the spec changes nothing about who was in charge.
    numbers = [served.number for served in missing]
    identity = f"champions-{canonical_digest(numbers).removeprefix('sha256:')[:32]}"
    return Errand(step, settings.trainer, POSTGRES_KEYS, identity)


def _identity(kind: str, parent: Parent, *parts: object) -> str:
    """With the spec's generation: an edit asks for another try of what has failed."""
    digest = canonical_digest([parent.generation, *parts])
    return f"{kind}-{digest.removeprefix('sha256:')[:32]}"


def _entry(served: ServedModel) -> ChampionEntry:
    return ChampionEntry(
        number=served.number,
        version=served.version,
        run_id=served.run_id,
        model_digest=served.model_digest,
        dataset_digest=served.dataset_digest,
        since=datetime.fromisoformat(served.since),
    )
