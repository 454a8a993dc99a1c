"""The model bundle: written so that a server can prove that it holds what was trained, and can load it safely."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.contract.bundle import (
    BUNDLE_FILE,
    GOLDEN_FILE,
    MODEL_FILE,
    REFERENCE_FILE,
    Bundle,
    BundleFile,
    GoldenRequest,
    Library,
    bundle_prefix,
)
from modelyard_api.contract.manifest import Column
from modelyard_api.digests import canonical_digest, canonical_json
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.s3 import ObjectStore
from modelyard_trainer.compiled import twin_of
from modelyard_trainer.data import Part
from modelyard_trainer.fit import EstimatorError
from modelyard_trainer.reference import reference_of

_BOOSTERS = {"lightgbm.": "lightgbm", "xgboost.": "xgboost-cpu"}
"""Libraries that a model needs where it holds types of these packages."""
_LIBRARIES = ("joblib", "numpy", "scikit-learn", "scipy", "skops", "threadpoolctl")
_GOLDEN_ROWS = 16
_EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Origin:
    """Where a model comes from."""

    task: Task
    target: str
    inputs: list[Column]
    run_id: str
    dataset_digest: str


@dataclass(frozen=True)
class PackedModel:
    """A bundle in memory."""

    bundle: Bundle
    files: dict[str, bytes]

    @property
    def digest(self) -> str:
        """The model's digest."""
        return canonical_digest(self.bundle.to_wire())


def pack(model: FittablePipeline, origin: Origin, train: Part, test: Part) -> PackedModel:
    """The bundle of a fitted model whose steps use one thread.

    Raises EstimatorError where the model cannot be stored, or answers differently when it is loaded again.
    """
    # Its library takes a third of a second to load, which no fit should wait for.
    from modelyard_trainer import archive  # noqa: PLC0415

    content, untrusted = archive.dump(model)
    golden = golden_request(model, test)
    _check_reloaded(archive.load(content, untrusted), test, golden)
    twin = twin_of(model, test)
    reference = reference_of(model, origin.inputs, origin.task, train, test)
    files = {
        MODEL_FILE: content,
        GOLDEN_FILE: canonical_json(golden.to_wire()),
        REFERENCE_FILE: canonical_json(reference.to_wire()),
        **twin.files,
    }
    bundle = Bundle(
        task=origin.task,
        target=origin.target,
        inputs=origin.inputs,
        classes=labels(model) if origin.task is Task.CLASSIFICATION else [],
        run_id=origin.run_id,
        dataset_digest=origin.dataset_digest,
        libraries=_libraries(untrusted),
        input_example=train.rows(_EXAMPLE_ROWS),
        trusted_types=sorted(untrusted),
        certificate=twin.certificate,
        files=[
            BundleFile(name=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
            for name, data in sorted(files.items())
        ],
    )
    return PackedModel(bundle, files)


def store(packed: PackedModel, target: ObjectStore) -> str:
    """Writes the bundle under its digest and returns its address; ``bundle.json`` last, so that it means complete."""
    prefix = bundle_prefix(target.endpoint.prefix, packed.digest)
    for name, content in sorted(packed.files.items()):
        target.create(f"{prefix}/{name}", content)
    target.create(f"{prefix}/{BUNDLE_FILE}", canonical_json(packed.bundle.to_wire()))
    return target.uri(prefix)


def golden_request(model: FittablePipeline, test: Part) -> GoldenRequest:
    """A few held-out rows and the model's answers, made on one thread."""
    X = test.X[:_GOLDEN_ROWS]
    return GoldenRequest(
        rows=test.rows(_GOLDEN_ROWS),
        predictions=_plain(model.predict(X)),
        probabilities=_plain(model.predict_proba(X)) if hasattr(model, "predict_proba") else None,
    )


def labels(model: FittablePipeline) -> list[Json]:
    """Classes in the order of the probabilities."""
    return _plain(model.classes_)


def _libraries(types: Iterable[str]) -> list[Library]:
    """What the model was trained with; of the boosters those that its types come from."""
    boosters = {name for start, name in _BOOSTERS.items() if any(own.startswith(start) for own in types)}
    python = Library(name="python", version=".".join(str(part) for part in sys.version_info[:3]))
    return [
        python,
        *(Library(name=name, version=installed_version(name)) for name in sorted({*_LIBRARIES, *boosters})),
    ]


def _check_reloaded(loaded: FittablePipeline, test: Part, golden: GoldenRequest) -> None:
    again = golden_request(loaded, test)
    if again != golden:
        raise EstimatorError(
            "the model answers differently after it was stored and loaded again",
            remedy="Use another class; this one cannot be served",
        )


def _plain(values: np.ndarray | Sequence[object]) -> list[Json]:
    found: list[Json] = np.asarray(values).tolist()
    return found
