"""The model bundle: a model and all that serving must know of it, as files under one prefix named by its digest."""

from __future__ import annotations

from modelyard_api.base import StatusModel
from modelyard_api.contract.manifest import Column
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import Json

BUNDLE_FILE = "bundle.json"
MODEL_FILE = "model.skops"
GOLDEN_FILE = "golden.json"
TWIN_FILE = "model.twin"
"""The model as a compiled program; there only where the certificate lets it be used."""
REFERENCE_FILE = "reference.json"
"""How inputs and answers were distributed; see ``contract.reference``. Bundles of before drift was watched lack it."""


class BundleFile(StatusModel):
    """A file beside ``bundle.json``."""

    name: str
    sha256: str
    """Bare hex."""
    bytes: int


class Library(StatusModel):
    """A library that the model was trained with."""

    name: str
    version: str


class Certificate(StatusModel):
    """How a compiled program compares with the model that it was compiled from."""

    rows: int
    """Held-out rows that both answered."""
    special_rows: int
    """Rows beside them with missing, unseen, empty and extreme values, which both answered or both refused."""
    max_delta: str
    """Greatest difference of a value or probability, as a decimal: relative to the value, or to what values are like
    where it is smaller (1 for probabilities); ``inf`` where only one of them was a finite number."""
    label_agreement: str
    """Share of the rows with the same label, as a decimal; ``1`` for a regression."""
    used: bool
    """Whether the program may answer in the model's place."""
    reason: str = ""
    """Why it may not."""


class Bundle(StatusModel):
    """``bundle.json``. The SHA-256 of its canonical JSON is the model's digest."""

    schema_version: int = 1
    task: Task
    target: str
    inputs: list[Column]
    """Features in the order in which the model was fitted."""
    classes: list[Json] = []
    """Labels in the order of the probabilities; empty for regression."""
    run_id: str
    dataset_digest: str
    libraries: list[Library]
    input_example: list[dict[str, Json]]
    """A few rows of the training part."""
    trusted_types: list[str] = []
    """Types in the skops file beyond skops' own list; the server compares them with its allow-list."""
    certificate: Certificate | None = None
    """How the compiled program compares with the model, or why there is none; None where nobody tried."""
    files: list[BundleFile]


class GoldenRequest(StatusModel):
    """Rows and the answers that the trainer got for them."""

    rows: list[dict[str, Json]]
    predictions: list[Json]
    probabilities: list[list[float]] | None = None


def bundle_prefix(project_prefix: str, digest: str) -> str:
    """Prefix of a bundle in the bucket; ``digest`` with or without its algorithm."""
    return f"{project_prefix}/models/{digest.removeprefix('sha256:')}"
