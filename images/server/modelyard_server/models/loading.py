"""Makes a model of a verified bundle: judged, built, warmed up, and proven to answer as it did when it was trained."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from modelyard_api.contract.bundle import MODEL_FILE, REFERENCE_FILE, Bundle, GoldenRequest
from modelyard_api.contract.reference import Reference
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server.errors import BundleError, RequestError
from modelyard_server.models.archive import ArchiveLimits
from modelyard_server.models.compiled import NotUsedError, load_compiled
from modelyard_server.models.fetching import FetchedBundle
from modelyard_server.models.predictor import Answer, Predictor
from modelyard_server.signature import Reader, Rows, Signature

_TOLERANCE = 1e-9
"""Golden answers are numbers of another machine, whose vector instructions may round the last bits otherwise."""
_LIGHT_SECONDS = 0.002
"""A model whose row takes longer is kept off the event loop."""
_GATHERED_SECONDS = 0.00003
"""Below this, to gather requests costs more than it saves."""
_GATHERING_GAIN = 1.5
"""Rows are asked together where a call for several costs less by this than one for each."""
_SAME = 1e-12
"""How far an answer may differ, relative to itself, by what else is asked for in the same call."""
_WARM_UP_ROUNDS = 5
_TOGETHER = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model that may be served."""

    digest: str
    bundle: Bundle
    signature: Signature
    reader: Reader
    predictor: Predictor
    labels: tuple[Any, ...]
    """Labels in the order of the probabilities; empty for regression."""
    row_seconds: float
    """What one row takes when the model is warm."""
    not_compiled_because: str | None
    """Why scikit-learn answers; None where the compiled program does."""
    gathers: bool = False
    """Whether rows of several requests are asked together where they wait."""
    reference: Reference | None = None
    """How its inputs and answers were distributed; None for a bundle of before that was written."""

    @property
    def compiled(self) -> bool:
        """Whether the compiled program answers."""
        return self.not_compiled_because is None

    @property
    def light(self) -> bool:
        """Whether a row may be answered on the event loop."""
        return self.row_seconds <= _LIGHT_SECONDS

    @property
    def classifies(self) -> bool:
        """Whether predictions are labels."""
        return self.bundle.task is Task.CLASSIFICATION


def load_model(
    fetched: FetchedBundle,
    digest: str,
    limits: ArchiveLimits | None = None,
    max_rows: int | None = None,
    *,
    probed: bool = False,
) -> LoadedModel:
    """The model of a bundle: its compiled program where that is proven, else scikit-learn's, which is only then loaded.

    ``max_rows`` bounds the rows of a request that its reader takes; what is ``probed`` is not tried in a process of its own
    before.

    Raises BundleError where it is not allowed, broken, or does not answer as promised.
    """
    bundle = fetched.bundle
    declared = Signature(tuple(bundle.inputs))
    samples = _samples(bundle, fetched.golden)
    reason: str | None = None
    try:
        predictor, row_seconds = _compiled(fetched, declared, samples)
    except NotUsedError as error:
        reason = str(error)
        _log.info("scikit-learn answers: %s", reason)
        predictor, row_seconds = _scikit(fetched, declared, samples, limits, probed=probed)
    signature = declared.demanding(_demanded(predictor, declared, samples[0]))
    return LoadedModel(
        digest=digest,
        bundle=bundle,
        signature=signature,
        reader=Reader(signature, max_rows),
        predictor=predictor,
        labels=tuple(bundle.classes),
        row_seconds=row_seconds,
        not_compiled_because=reason,
        gathers=row_seconds > _GATHERED_SECONDS and _gathers(predictor, signature, samples, row_seconds),
        reference=_reference(fetched),
    )


def _reference(fetched: FetchedBundle) -> Reference | None:
    """What traffic is compared with. Raises BundleError where it is of other inputs."""
    bundle = fetched.bundle
    if all(file.name != REFERENCE_FILE for file in bundle.files):
        return None
    try:
        found = Reference.model_validate_json(fetched.file(REFERENCE_FILE))
    except ValidationError as error:
        raise BundleError(f"{REFERENCE_FILE} cannot be read: {error.errors()[0]['msg']}") from error
    if [feature.name for feature in found.features] != [column.name for column in bundle.inputs]:
        raise BundleError(f"{REFERENCE_FILE} is not of the bundle's inputs")
    return found


def _compiled(
    fetched: FetchedBundle, declared: Signature, samples: list[dict[str, Any]]
) -> tuple[Predictor, float]:
    """The compiled program, which has answered the golden requests as scikit-learn did. Raises NotUsedError."""
    predictor = load_compiled(fetched)
    try:
        row_seconds = _warm_up(predictor, declared, samples)
        _replay(predictor, declared, fetched.golden)
        _replay_each(predictor, declared, fetched.golden)
    except BundleError as error:
        raise NotUsedError(f"the compiled program is not the model: {error}") from error
    return predictor, row_seconds


def _scikit(
    fetched: FetchedBundle,
    declared: Signature,
    samples: list[dict[str, Any]],
    limits: ArchiveLimits | None,
    *,
    probed: bool,
) -> tuple[Predictor, float]:
    # Imported here: it takes a second and 100 MB, which a server of compiled programs does without.
    from modelyard_server.models.scikit import load_scikit  # noqa: PLC0415

    predictor = load_scikit(fetched.file(MODEL_FILE), limits, probed=probed)
    row_seconds = _warm_up(predictor, declared, samples, settle=predictor.settle)
    _replay(predictor, declared, fetched.golden)
    return predictor, row_seconds


def _samples(bundle: Bundle, golden: GoldenRequest | None) -> list[dict[str, Any]]:
    """Rows to warm up with: of the training data where the bundle has some."""
    rows = bundle.input_example or (golden.rows if golden else [])
    return rows or [{column.name: _neutral(column.type) for column in bundle.inputs}]


def _neutral(kind: ColumnType) -> Any:  # noqa: ANN401  a JSON value
    return {ColumnType.TEXT: "", ColumnType.BOOLEAN: False}.get(kind, 0)


def _warm_up(
    predictor: Predictor,
    signature: Signature,
    samples: Sequence[dict[str, Any]],
    settle: Callable[[np.ndarray], None] | None = None,
) -> float:
    """Seconds that a row takes once the first, slow calls are over; ``settle`` is called with the rows before."""
    reader = Reader(signature)
    try:
        matrix = reader.matrix(reader.from_records(samples))
        if settle is not None:
            settle(matrix)
        fastest = float("inf")
        for _ in range(_WARM_UP_ROUNDS):
            start = time.perf_counter()
            predictor.predict(matrix[:1], probabilities=True)
            fastest = min(fastest, time.perf_counter() - start)
    except RequestError as error:
        raise BundleError(f"the bundle's example does not fit its inputs: {error.message}") from error
    except Exception as error:
        raise BundleError(
            f"the model does not answer its own example: {type(error).__name__}: {error}"
        ) from error
    return fastest


def _gathers(
    predictor: Predictor, signature: Signature, samples: Sequence[dict[str, Any]], row_seconds: float
) -> bool:
    """Whether asking for several rows at once is worth it, and tells each what it would be told alone."""
    rows = [samples[place % len(samples)] for place in range(_TOGETHER)]
    reader = Reader(signature)
    matrix = reader.matrix(reader.from_records(rows))
    together = predictor.predict(matrix, probabilities=True)
    start = time.perf_counter()
    predictor.predict(matrix, probabilities=True)
    if _GATHERING_GAIN * (time.perf_counter() - start) > row_seconds * len(rows):
        return False
    alone = [predictor.predict(matrix[place : place + 1], probabilities=True) for place in range(len(rows))]
    if not _same(together.predictions, np.concatenate([each.predictions for each in alone])):
        return False
    likely = [each.probabilities for each in alone if each.probabilities is not None]
    return together.probabilities is None or _same(together.probabilities, np.concatenate(likely))


def _same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    if ours.dtype.kind == "f":
        return bool(np.allclose(ours, theirs, rtol=_SAME, atol=_SAME))
    return bool(np.array_equal(ours, theirs))


def _replay(predictor: Predictor, signature: Signature, golden: GoldenRequest | None) -> None:
    """Proves that the answers are those of the training; raises BundleError at the first that is not."""
    if golden is None:
        return
    reader = Reader(signature)
    try:
        matrix = reader.matrix(reader.from_records(golden.rows))
        answer = predictor.predict(matrix, probabilities=golden.probabilities is not None)
    except RequestError as error:
        raise BundleError(f"a golden request does not fit the bundle's inputs: {error.message}") from error
    except Exception as error:
        raise BundleError(f"a golden request is not answered: {type(error).__name__}: {error}") from error
    _compare(answer, golden)


def _replay_each(predictor: Predictor, signature: Signature, golden: GoldenRequest | None) -> None:
    """Proves the same of each row by itself: a program has ways of its own for a single one."""
    if golden is None:
        return
    for index in range(len(golden.rows)):
        try:
            _replay(predictor, signature, _only(golden, index))
        except BundleError as error:
            raise BundleError(f"row {index} by itself: {error}") from error


def _only(golden: GoldenRequest, index: int) -> GoldenRequest:
    row = slice(index, index + 1)
    kept = {"rows": golden.rows[row], "predictions": golden.predictions[row]}
    sure = None if golden.probabilities is None else golden.probabilities[row]
    return golden.model_copy(update={**kept, "probabilities": sure})


def _compare(answer: Answer, golden: GoldenRequest) -> None:
    got = answer.predictions.tolist()
    if len(got) != len(golden.predictions):
        raise BundleError(f"{len(golden.predictions)} golden answers are promised, {len(got)} were given")
    for index, (ours, theirs) in enumerate(zip(got, golden.predictions, strict=True)):
        if not _equal(ours, theirs):
            raise BundleError(
                f"golden request {index} is answered with {ours!r}, training answered {theirs!r}"
            )
    if golden.probabilities is not None and answer.probabilities is not None:
        theirs = np.asarray(golden.probabilities)
        if theirs.shape != answer.probabilities.shape or not np.allclose(
            answer.probabilities, theirs, rtol=_TOLERANCE, atol=_TOLERANCE
        ):
            raise BundleError("the probabilities of the golden requests are not those of the training")


def _equal(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, int | float):
        return bool(np.isclose(ours, theirs, rtol=_TOLERANCE, atol=_TOLERANCE))
    return type(ours) is type(theirs) and ours == theirs


def _demanded(predictor: Predictor, signature: Signature, sample: dict[str, Any]) -> frozenset[str]:
    """Columns that are declared nullable, but without which this model does not answer."""
    reader = Reader(signature)
    nullable = [column.name for column in signature.columns if column.nullable]

    def answers(without: Sequence[str]) -> bool:
        row = sample | dict.fromkeys(without)
        try:
            rows: Rows = reader.from_records([row])
            answer = predictor.predict(reader.matrix(rows), probabilities=False)
        except (ValueError, TypeError, AttributeError, RequestError):
            return False
        values = answer.predictions
        return values.dtype.kind != "f" or bool(np.all(np.isfinite(values)))

    if not nullable or answers(nullable):
        return frozenset()
    return frozenset(name for name in nullable if not answers([name]))
