"""What Modelyard and a container with own code hand each other: files in directories that both see.

The names and documents of this module are promised to users in docs/containers.md.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel, StatusModel
from modelyard_api.contract.bundle import Bundle
from modelyard_api.contract.manifest import Column
from modelyard_api.contract.used import Used
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnName, Json
from modelyard_api.v1alpha1.training_job import DatasetVersion

INPUT_VARIABLE = "MODELYARD_INPUT"
INPUT_DIRECTORY = "/modelyard/input"
"""Rows and job document; the container can read them only."""
OUTPUT_VARIABLE = "MODELYARD_OUTPUT"
OUTPUT_DIRECTORY = "/modelyard/output"
"""What the container makes."""
JUDGED_VARIABLE = "MODELYARD_JUDGED"
JUDGED_DIRECTORY = "/modelyard/judged"
"""What the judge found out about it; the container does not see it."""

METER_VARIABLE = "MODELYARD_METER"
METER_DIRECTORY = "/modelyard/meter"
"""The program that starts the container's command, and what it and the trainer have to say of what they took."""
METER_PROGRAM = "meter"
METER_PROGRAM_VARIABLE = "MODELYARD_METER_PROGRAM"
"""Names another file as the program, for a step outside a pod."""
CONTROL_GROUP = "/sys/fs/cgroup"
"""Where a container sees its control group, or those of version 1."""
PREPARED_USE_FILE = "prepare.json"
OWN_USE_FILE = "own.json"

DOCUMENT_FILE = "job.json"
TRAIN_FILE = "train.parquet"
TEST_FILE = "test.parquet"

METRICS_FILE = "metrics.json"
PARAMETERS_FILE = "params.json"
MODEL_DIRECTORY = "model"
SIGNATURE_FILE = "signature.json"

JUDGEMENT_FILE = "judgement.json"


class JobDocument(StatusModel):
    """``job.json``: what is to be learnt, and from which rows."""

    schema_version: int = 1
    project: str
    job: str
    attempt: int
    dataset: str
    data: DatasetVersion
    task: Task
    target: Column
    features: list[Column]
    """In the order of the data set's columns."""
    key: list[str]
    """Columns that name a row; in both files, and no features."""
    weights: str | None = None
    """Column by which rows of the training part count; no feature."""
    classes: list[Json] = []
    """Classes of the training part, sorted; empty for a regression."""
    primary: str
    """Metric that models are compared by."""
    train: str = TRAIN_FILE
    test: str = TEST_FILE
    """Rows that judge the model: they must not be learnt from."""
    rows_train: int
    rows_test: int


class Signature(ApiModel):
    """``model/signature.json``: the columns of the matrix that the model was fitted on."""

    inputs: Annotated[list[ColumnName], Field(min_length=1, max_length=1000)]
    """Features by name, in the order of the matrix's columns."""


class Judgement(StatusModel):
    """What became of the model when the trainer loaded it and asked it about the test part."""

    not_servable: str = ""
    """Why no server can answer with it, as a clause; empty where one can."""
    bundle: Bundle | None = None
    """The bundle but for its run, whose files lie beside this document; None where it is not servable."""
    used: Used
    """What judging took."""
