"""Hands the rows of a version to a container: two Parquet files and a document that says what they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_api.catalog.training_job import check_training_job
from modelyard_api.contract.outcome import PreparedOutcome
from modelyard_api.contract.own_container import (
    DOCUMENT_FILE,
    METER_PROGRAM,
    PREPARED_USE_FILE,
    TEST_FILE,
    TRAIN_FILE,
    JobDocument,
)
from modelyard_api.contract.steps import ContainerStep
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import load_version
from modelyard_runtime.versions import resolve_version
from modelyard_trainer import machine
from modelyard_trainer.evaluation.assess import primary_of
from modelyard_trainer.making import Material, material_of
from modelyard_trainer.own.places import Places
from modelyard_trainer.pipeline import refuse
from modelyard_trainer.train import Source, reference_of


def prepare(step: ContainerStep, store: ObjectStore, places: Places) -> PreparedOutcome:
    """Writes rows and document, the document last.

    Raises InvalidSpecError or DataError where spec and rows do not fit, before any code of the user runs.
    """
    refuse(check_training_job(step.spec))
    version = step.data or resolve_version(store, reference_of(step))
    source = Source(material_of(load_version(version.uri, store), step.spec), version)
    document = document_of(step, source)
    hand_over(source.material, document, places.input)
    provide_meter(places)
    return PreparedOutcome(rows_train=document.rows_train, rows_test=document.rows_test)


def document_of(step: ContainerStep, source: Source) -> JobDocument:
    """What the container is told of the rows."""
    material, data = source.material, source.material.data
    classes: list[Json] = []
    if step.spec.task is Task.CLASSIFICATION:
        classes = sorted(set(data.train.y.tolist()))
    return JobDocument(
        project=step.owner.project,
        job=step.owner.name,
        attempt=step.owner.attempt,
        dataset=step.spec.dataset_ref.name,
        data=source.version,
        task=step.spec.task,
        target=material.plan.target,
        features=material.plan.inputs,
        key=material.version.manifest.key,
        weights=material.plan.weights,
        classes=classes,
        primary=primary_of(step.spec),
        rows_train=len(data.train.y),
        rows_test=len(data.test.y),
    )


def hand_over(material: Material, document: JobDocument, target: Path) -> None:
    """Writes rows and document. Columns that are not features, such as those that ``spec.features`` leaves out, stay away."""
    names = [*document.key, *(column.name for column in document.features), document.target.name]
    names += [document.weights] if document.weights is not None else []
    for name, table in ((TRAIN_FILE, material.version.train), (TEST_FILE, material.version.test)):
        pq.write_table(_plain(table.select(names)), target / name, compression="zstd")
    text = document.model_dump_json(by_alias=True, exclude_none=True, indent=1)
    (target / DOCUMENT_FILE).write_text(f"{text}\n", encoding="utf-8")


def provide_meter(places: Places) -> None:
    """Puts the program where own code is started by it, and says what was taken until now."""
    program = places.meter / METER_PROGRAM
    shutil.copyfile(places.program, program)
    program.chmod(0o755)
    used = machine.used_so_far().model_dump_json(by_alias=True)
    (places.meter / PREPARED_USE_FILE).write_text(used, encoding="utf-8")


def _plain(table: pa.Table) -> pa.Table:
    """Without what libraries noted for themselves."""
    return table.replace_schema_metadata(None)
