"""The steps themselves: a spec together with where everything is in this installation."""

from __future__ import annotations

from modelyard_api.contract.steps import (
    LoadStep,
    MLflowEndpoint,
    Owner,
    PostgresEndpoint,
    S3Endpoint,
    Step,
    TrainStep,
)
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.training_job import DatasetVersion, TrainingJobSpec
from modelyard_operator.resources.common import Parent
from modelyard_operator.settings import Settings


def load_step(parent: Parent, spec: DatasetSpec, attempt: int, settings: Settings) -> Step:
    """What a loader is asked to do."""
    return Step(
        load=LoadStep(
            owner=_owner(parent, attempt, settings.loader.image),
            source=spec.source,
            primary_key=spec.primary_key,
            variants=spec.variants,
            split=spec.split,
            postgres=PostgresEndpoint(
                host=settings.postgres.host,
                port=settings.postgres.port,
                database=settings.postgres.database,
                schema_=parent.namespace,
                sslmode=settings.postgres.sslmode,
            ),
            s3=s3_endpoint(parent.namespace, settings),
        )
    )


def train_step(
    parent: Parent, spec: TrainingJobSpec, data: DatasetVersion, attempt: int, settings: Settings
) -> Step:
    """What a trainer is asked to do."""
    return Step(
        train=TrainStep(
            owner=_owner(parent, attempt, settings.trainer.image),
            spec=spec,
            data=data,
            s3=s3_endpoint(parent.namespace, settings),
            mlflow=MLflowEndpoint(
                url=settings.mlflow.url,
                workspace=parent.namespace if settings.mlflow.workspaces else None,
            ),
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


def _owner(parent: Parent, attempt: int, image: str) -> Owner:
    return Owner(
        project=parent.namespace,
        name=parent.name,
        uid=parent.uid,
        generation=parent.generation,
        attempt=attempt,
        image=image,
    )
