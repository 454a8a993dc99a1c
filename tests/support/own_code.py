"""What a container with own code does, in this process: for tests of what stands before and behind it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from sklearn.linear_model import LogisticRegression

from modelyard_api.contract.own_container import (
    METRICS_FILE,
    MODEL_DIRECTORY,
    PARAMETERS_FILE,
    SIGNATURE_FILE,
    JobDocument,
)
from modelyard_api.contract.steps import ContainerStep, MLflowEndpoint, Owner, S3Endpoint
from modelyard_api.v1alpha1.training_job import ContainerSpec, DatasetVersion
from modelyard_trainer.making import material_of
from modelyard_trainer.own.places import Places
from modelyard_trainer.own.prepare import document_of, hand_over
from modelyard_trainer.train import Source
from tests.support.fitting import version_of

VERSION = DatasetVersion(
    variant="v1", sequence=1, digest="sha256:" + "0" * 64, uri="s3://modelyard/demo/manifest.json"
)
SPEC: dict[str, Any] = {
    "datasetRef": {"name": "data", "variant": "v1"},
    "task": "Classification",
    "target": "kind",
    "container": {"image": "registry/own@sha256:" + "1" * 64},
}


def flowers(rows: int = 200) -> pa.Table:
    """Two kinds that a line tells apart, a feature that says nothing, and a column that is left out by some."""
    rng = np.random.default_rng(7)
    width = rng.normal(size=rows)
    return pa.table(
        {
            "row": np.arange(rows),
            "width": width,
            "noise": rng.normal(size=rows),
            "kind": np.where(width + rng.normal(scale=0.3, size=rows) > 0, "rose", "tulip"),
        }
    )


def step_of(**fields: Any) -> ContainerStep:  # noqa: ANN401  JSON
    """The step of a TrainingJob with own code."""
    return ContainerStep(
        owner=Owner(project="demo", name="job", uid="22222222-0000-4000-8000-000000000000", generation=1),
        spec=ContainerSpec.model_validate({**SPEC, **fields}),
        data=VERSION,
        s3=S3Endpoint(endpoint_url="http://127.0.0.1:9", bucket="modelyard", prefix="demo"),
        mlflow=MLflowEndpoint(url="http://127.0.0.1:9"),
    )


def source_of(table: pa.Table, step: ContainerStep) -> Source:
    """Rows as the step reads them."""
    return Source(material_of(version_of(table), step.spec), VERSION)


def places_in(directory: Path) -> Places:
    """The directories of a pod, empty."""
    program = directory / "program"
    program.write_text("")
    places = Places(
        input=directory / "input",
        output=directory / "output",
        judged=directory / "judged",
        meter=directory / "meter",
        program=program,
    )
    for place in (places.input, places.output, places.judged, places.meter):
        place.mkdir()
    return places


def handed_over(table: pa.Table, step: ContainerStep, places: Places) -> Source:
    """Does what stands before own code."""
    source = source_of(table, step)
    hand_over(source.material, document_of(step, source), places.input)
    return source


def matrix(places: Places, file: str, names: list[str]) -> np.ndarray:
    """Features of the rows of a file, as own code would read them."""
    table = pq.read_table(places.input / file)
    return np.column_stack([table.column(name).to_numpy() for name in names])


def told(places: Places) -> JobDocument:
    """The job document."""
    return places.document()


def fit_logistic(places: Places, names: list[str]) -> LogisticRegression:
    """A model of some features."""
    labels = pq.read_table(places.input / told(places).train).column(told(places).target.name)
    return LogisticRegression().fit(
        matrix(places, told(places).train, names), np.array(labels.to_pylist(), dtype=np.str_)
    )


def leave(
    places: Places,
    model: Mapping[str, bytes],
    metrics: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
) -> None:
    """Writes what own code leaves."""
    (places.output / MODEL_DIRECTORY).mkdir(exist_ok=True)
    for name, content in model.items():
        (places.output / MODEL_DIRECTORY / name).write_bytes(content)
    for name, document in ((METRICS_FILE, metrics), (PARAMETERS_FILE, params)):
        if document is not None:
            (places.output / name).write_text(json.dumps(document))


def skops_model(model: object, names: list[str]) -> dict[str, bytes]:
    """The files of a model that can be served."""
    return {"model.skops": skops.io.dumps(model), SIGNATURE_FILE: json.dumps({"inputs": names}).encode()}
