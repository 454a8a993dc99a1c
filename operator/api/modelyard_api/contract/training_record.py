"""``training.json`` of a run: everything that it was made from, so that it can be made again without its resource."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from modelyard_api.base import StatusModel
from modelyard_api.contract.bundle import Library
from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.training_job import (
    ContainerSpec,
    DatasetVersion,
    TrainingJobSpec,
    parse_learning_spec,
)

RECORD_FILE = "training.json"


def _parsed(value: object) -> object:
    return value if isinstance(value, TrainingJobSpec | ContainerSpec) else parse_learning_spec(value)


class TrainingRecord(StatusModel):
    """What a run was made from."""

    schema_version: int = 1
    spec: Annotated[TrainingJobSpec | ContainerSpec, BeforeValidator(_parsed)]
    """The spec with all that was decided: a tuned pipeline has its best parameters."""
    data: DatasetVersion
    image: str
    """Image of the trainer, as the operator asked for it."""
    libraries: list[Library]
    """Python and every package that was installed, by name."""
    threads: int
    """Threads that the fit could use."""

    @property
    def lock(self) -> str:
        """Digest of the libraries."""
        return canonical_digest([item.to_wire() for item in self.libraries])
