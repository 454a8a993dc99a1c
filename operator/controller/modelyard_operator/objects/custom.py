"""Our own kinds as the cluster shows them: the spec is parsed apart, so that an unreadable one still has a status."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from modelyard_api.base import StatusModel
from modelyard_api.reading import explain
from modelyard_api.v1alpha1 import (
    DatasetSpec,
    DatasetStatus,
    ModelPromotionSpec,
    ModelPromotionStatus,
    TrainingJobFields,
    TrainingJobStatus,
)
from modelyard_api.v1alpha1.common import ObjectMeta
from modelyard_api.v1alpha1.training_job import AnySpec, parse_training_job_spec

Spec = TypeVar("Spec", bound=BaseModel)
Status = TypeVar("Status", bound=StatusModel)


class Unreadable(StatusModel):
    """A spec that does not fit its model, although the API server took it."""

    problems: str
    """Field and fault, one after the other."""


def _readable(parse_spec: Callable[[Any], BaseModel]) -> BeforeValidator:
    def parse(value: Any) -> Any:  # noqa: ANN401  JSON
        if isinstance(value, BaseModel):
            return value
        try:
            return parse_spec(value)
        except ValidationError as error:
            return Unreadable(problems=explain(error))

    return BeforeValidator(parse)


class CustomObject(StatusModel, Generic[Spec, Status]):
    """What our kinds have in common."""

    metadata: ObjectMeta
    spec: Spec | Unreadable
    status: Status


class DatasetObject(CustomObject[DatasetSpec, DatasetStatus]):
    """A Dataset."""

    spec: Annotated[DatasetSpec | Unreadable, _readable(DatasetSpec.model_validate)]
    status: DatasetStatus = DatasetStatus()

    @cached_property
    def recipe(self) -> str:
        """Identity of what the spec asks for; empty where it cannot be read. Computed once: many look at it."""
        return "" if isinstance(self.spec, Unreadable) else self.spec.recipe()


class TrainingJobObject(CustomObject[TrainingJobFields, TrainingJobStatus]):
    """A TrainingJob."""

    spec: Annotated[AnySpec | Unreadable, _readable(parse_training_job_spec)]
    status: TrainingJobStatus = TrainingJobStatus()


class PromotionObject(CustomObject[ModelPromotionSpec, ModelPromotionStatus]):
    """A ModelPromotion."""

    spec: Annotated[ModelPromotionSpec | Unreadable, _readable(ModelPromotionSpec.model_validate)]
    status: ModelPromotionStatus = ModelPromotionStatus()


class ObjectList(StatusModel):
    """Where a list goes on; its items are read by the kind's model."""

    continue_: Annotated[str | None, Field(alias="continue")] = None
    resource_version: str | None = None
