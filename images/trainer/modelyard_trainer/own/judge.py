"""Loads the model that a container made, asks it about the test part, and packs it for servers where it can be served.

The file is somebody else's: this runs in a container without credentials, and what it writes is read as plain files.
A model that cannot be served is no failure: it is kept as it is, with the reason.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError
from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.contract.bundle import MODEL_FILE
from modelyard_api.contract.manifest import Column
from modelyard_api.contract.outcome import JudgedOutcome
from modelyard_api.contract.own_container import (
    JUDGEMENT_FILE,
    SIGNATURE_FILE,
    JobDocument,
    Judgement,
    Signature,
)
from modelyard_api.metrics import Task
from modelyard_runtime.errors import StepError
from modelyard_trainer import machine
from modelyard_trainer.bundle import Origin, PackedModel, labels, pack
from modelyard_trainer.data import count_missing, part_of
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.answers import answers_file
from modelyard_trainer.evaluation.judged import judge
from modelyard_trainer.features import Plan
from modelyard_trainer.own.places import Made, Places, first_fault, read_made
from modelyard_trainer.safe_types import loadable
from modelyard_trainer.threads import set_threads

_REASON_LIMIT = 500
_SHOWN = 5

_log = logging.getLogger(__name__)


class NotServableError(Exception):
    """No server can answer with the model; the message is a clause that says why."""


def judge_model(places: Places) -> JudgedOutcome:
    """Writes the judgement, and beside it the bundle's files and the answers where the model can be served.

    Raises OwnCodeError where what the container made is not as promised.
    """
    made = read_made(places.output)
    document = places.document()
    try:
        packed, answers = _judged(made, document, places.input)
    except NotServableError as error:
        reason = str(error)[:_REASON_LIMIT]
        _log.warning("the model is not servable: %s", reason)
        _write(places.judged, Judgement(not_servable=reason, used=machine.used_so_far()), {})
        return JudgedOutcome(not_servable=reason)
    judgement = Judgement(bundle=packed.bundle, used=machine.used_so_far())
    _write(places.judged, judgement, {**packed.files, PREDICTIONS: answers})
    return JudgedOutcome()


def _judged(made: Made, document: JobDocument, rows: Path) -> tuple[PackedModel, bytes]:
    inputs = _inputs(made, document)
    model = load_given(made.model[MODEL_FILE])
    plan = Plan(document.target, inputs, [])
    train, test = pq.read_table(rows / document.train), pq.read_table(rows / document.test)
    part = part_of(test, plan, document.task)
    try:
        set_threads(model, None)
        _check_kind(model, document)
        answered = judge(model, part.X, part.y)
        accepted = [_accepting(column, train) for column in inputs]
        origin = Origin(document.task, document.target.name, accepted, "", document.data.digest)
        packed = pack(model, origin, part_of(train, plan, document.task), part)
    except (NotServableError, MemoryError):
        raise
    except StepError as error:
        raise NotServableError(error.message) from error
    except Exception as error:  # whatever a library says of a model that it did not make
        raise NotServableError(
            f"the model does not answer the rows of the test part: {_said(error)}"
        ) from error
    return packed, answers_file(answered, test, document.key)


def _inputs(made: Made, document: JobDocument) -> list[Column]:
    """The features that the model was fitted on, in the order of its matrix."""
    for name in (MODEL_FILE, SIGNATURE_FILE):
        if name not in made.model:
            raise NotServableError(f"the model's directory holds no {name}")
    try:
        signature = Signature.model_validate_json(made.model[SIGNATURE_FILE])
    except ValidationError as error:
        raise NotServableError(f"{SIGNATURE_FILE} cannot be read: {first_fault(error)}") from error
    known = {column.name: column for column in document.features}
    strange = [name for name in signature.inputs if name not in known]
    if strange:
        raise NotServableError(f"{SIGNATURE_FILE} names {', '.join(strange[:_SHOWN])}, which are no features")
    if len(set(signature.inputs)) < len(signature.inputs):
        raise NotServableError(f"{SIGNATURE_FILE} names a feature twice")
    return [known[name] for name in signature.inputs]


def load_given(content: bytes) -> FittablePipeline:
    """A model of a skops file that somebody else wrote. Raises NotServableError."""
    # Its library takes a third of a second to load, which a model that is not servable does not need.
    import skops.io  # noqa: PLC0415

    try:
        untrusted = frozenset(skops.io.get_untrusted_types(data=content))
        _refuse_types(untrusted)
        loaded: FittablePipeline = skops.io.loads(content, trusted=sorted(untrusted))
    except (NotServableError, MemoryError):
        raise
    except Exception as error:
        raise NotServableError(f"{MODEL_FILE} cannot be loaded: {_said(error)}") from error
    return loaded


def _refuse_types(names: frozenset[str]) -> None:
    strange = sorted(name for name in names if not loadable(name))
    if strange:
        raise NotServableError(
            f"{MODEL_FILE} holds {', '.join(strange[:_SHOWN])}, which no server loads from a file"
        )


def _check_kind(model: FittablePipeline, document: JobDocument) -> None:
    """A model of another task, or one that numbers its classes itself, would answer something else than is asked."""
    classifies = hasattr(model, "classes_")
    if document.task is Task.REGRESSION:
        if classifies:
            raise NotServableError("the model answers with classes, and the task is Regression")
        return
    if not classifies:
        raise NotServableError("the model has no classes_, and the task is Classification")
    strange = [label for label in labels(model) if label not in document.classes]
    if strange:
        shown = ", ".join(repr(label) for label in strange[:_SHOWN])
        raise NotServableError(
            f"the model answers with {shown}, which are no values of {document.target.name}"
        )


def _accepting(column: Column, train: pa.Table) -> Column:
    """A value may be missing for the model where it was in training; the server tries whether it then answers."""
    return column.model_copy(update={"nullable": count_missing(train.column(column.name)) > 0})


def _said(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__


def _write(target: Path, judgement: Judgement, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (target / name).write_bytes(content)
    text = judgement.model_dump_json(by_alias=True, exclude_none=True)
    (target / JUDGEMENT_FILE).write_text(text, encoding="utf-8")
