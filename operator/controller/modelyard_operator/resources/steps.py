"""The steps themselves: a spec together with where everything is in this installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelyard_api.contract.steps import (
    CacheEntry,
    ContainerStep,
    LoadStep,
    MLflowEndpoint,
    NetworkRules,
    Owner,
    PostgresEndpoint,
    Published,
    RebuildStep,
    ReplayStep,
    S3Endpoint,
    Step,
    SweepStep,
    TrainStep,
    VerifyStep,
)
from modelyard_api.v1alpha1.dataset import DatasetSpec, Retention
from modelyard_api.v1alpha1.dataset_status import DatasetStatus
from modelyard_api.v1alpha1.training_job import (
    ContainerSpec,
    DatasetVersion,
    ReplaySpec,
    TrainingJobSpec,
)
from modelyard_operator.objects.steps import Due, Pinned, References, StepKind
from modelyard_operator.resources.common import Parent
from modelyard_operator.settings import Settings


@dataclass(frozen=True)
class DatasetStep:
    """What a step of a Dataset is made from."""

    parent: Parent
    spec: DatasetSpec
    status: DatasetStatus
    due: Due
    attempt: int
    references: References
    """Used by a sweep only."""
    requested_by: str = ""


def dataset_step(wanted: DatasetStep, settings: Settings) -> Step:
    """What a loader is asked to do."""
    work = _work(wanted, settings)
    match wanted.due.kind:
        case StepKind.LOAD:
            return Step(load=_load(wanted, work, settings))
        case StepKind.VERIFY:
            return Step(verify=_verify(wanted, work))
        case StepKind.SWEEP:
            return Step(sweep=_sweep(wanted, work, settings))
        case StepKind.REBUILD:
            return Step(rebuild=RebuildStep(**work))


def train_step(
    parent: Parent,
    spec: TrainingJobSpec,
    data: DatasetVersion | Pinned,
    attempt: int,
    settings: Settings,
    cache: CacheEntry | None = None,
) -> Step:
    """What a trainer is asked to do; ``cache`` is how later jobs find its run."""
    return Step(
        train=TrainStep(
            owner=owner_of(parent, attempt, settings.trainer.image),
            spec=spec,
            data=None if isinstance(data, Pinned) else data,
            dataset_uid=data.dataset_uid if isinstance(data, Pinned) else "",
            cache=cache,
            s3=s3_endpoint(parent.namespace, settings),
            mlflow=mlflow_endpoint(parent.namespace, settings),
            postgres=postgres_endpoint(parent.namespace, settings) if spec.tuning is not None else None,
        )
    )


def container_step(
    parent: Parent,
    spec: ContainerSpec,
    data: DatasetVersion | Pinned,
    attempt: int,
    settings: Settings,
    cache: CacheEntry | None = None,
) -> ContainerStep:
    """What a trainer is asked to do before and behind a container with own code."""
    return ContainerStep(
        owner=owner_of(parent, attempt, settings.trainer.image),
        spec=spec,
        data=None if isinstance(data, Pinned) else data,
        dataset_uid=data.dataset_uid if isinstance(data, Pinned) else "",
        cache=cache,
        s3=s3_endpoint(parent.namespace, settings),
        mlflow=mlflow_endpoint(parent.namespace, settings),
    )


def replay_step(
    parent: Parent, spec: ReplaySpec, attempt: int, settings: Settings, *, container: bool = False
) -> Step:
    """What a trainer is asked to make again; ``container`` where own code is at work before it."""
    return Step(
        replay=ReplayStep(
            owner=owner_of(parent, attempt, settings.trainer.image),
            run_id=spec.replay.run_id,
            container=container,
            s3=s3_endpoint(parent.namespace, settings),
            mlflow=mlflow_endpoint(parent.namespace, settings),
        )
    )


def s3_endpoint(project: str, settings: Settings) -> S3Endpoint:
    """The project's part of the store."""
    return S3Endpoint(
        endpoint_url=settings.s3.endpoint_url,
        region=settings.s3.region,
        bucket=settings.s3.bucket,
        prefix=project,
    )


def _work(wanted: DatasetStep, settings: Settings) -> dict[str, Any]:
    """Fields that every step of a Dataset has."""
    parent, spec = wanted.parent, wanted.spec
    return {
        "owner": owner_of(parent, wanted.attempt, settings.loader.image),
        "source": spec.source,
        "primary_key": spec.primary_key,
        "columns": spec.columns,
        "variants": spec.variants,
        "split": spec.split,
        "validation": spec.validation,
        "postgres": postgres_endpoint(parent.namespace, settings),
        "s3": s3_endpoint(parent.namespace, settings),
    }


def _load(wanted: DatasetStep, work: dict[str, Any], settings: Settings) -> LoadStep:
    due, plan, source = wanted.due, wanted.spec.load, wanted.due.parent
    return LoadStep(
        **work,
        sequence=due.sequence,
        percent=due.percent,
        refresh=due.refresh,
        order=plan.order,
        on_reject=plan.on_reject,
        parent=Published(variant=source.variant, digest=source.digest, uri=source.uri) if source else None,
        network=NetworkRules(
            private_addresses=settings.http.private_addresses, redirects=settings.http.redirects
        ),
        trigger=due.trigger,
        requested_by=wanted.requested_by,
    )


def _verify(wanted: DatasetStep, work: dict[str, Any]) -> VerifyStep:
    versions = [
        Published(variant=item.name, digest=item.digest, uri=item.uri)
        for item in wanted.status.variants
        if item.sequence == wanted.due.sequence
    ]
    return VerifyStep(**work, sequence=wanted.due.sequence, versions=versions)


def _sweep(wanted: DatasetStep, work: dict[str, Any], settings: Settings) -> SweepStep:
    return SweepStep(
        **work,
        keep_last=(wanted.spec.retention or Retention()).keep_last,
        protected=list(wanted.references.digests),
        protected_sequences=list(wanted.references.sequences),
        protected_times=list(wanted.references.times),
        dry_run=wanted.due.dry_run,
        mlflow=mlflow_endpoint(wanted.parent.namespace, settings),
    )


def postgres_endpoint(project: str, settings: Settings) -> PostgresEndpoint:
    """The project's schema."""
    return PostgresEndpoint(
        host=settings.postgres.host,
        port=settings.postgres.port,
        database=settings.postgres.database,
        schema_=project,
        sslmode=settings.postgres.sslmode,
    )


def mlflow_endpoint(project: str, settings: Settings) -> MLflowEndpoint:
    """The project's workspace."""
    return MLflowEndpoint(url=settings.mlflow.url, workspace=project if settings.mlflow.workspaces else None)


def owner_of(parent: Parent, attempt: int, image: str) -> Owner:
    """The resource as its steps know it."""
    return Owner(
        project=parent.namespace,
        name=parent.name,
        uid=parent.uid,
        generation=parent.generation,
        attempt=attempt,
        image=image,
    )
