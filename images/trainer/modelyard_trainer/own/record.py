"""Tracks what a container made as if it had been made here: the same parameters, metrics, tags, input and documents.

A model that was judged is measured by its answers on the test part. Of one that was not there is only what the container
says, and no server can answer with it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from modelyard_api import labels
from modelyard_api.contract.bundle import (
    GOLDEN_FILE,
    MODEL_FILE,
    REFERENCE_FILE,
    TWIN_FILE,
    Bundle,
    BundleFile,
)
from modelyard_api.contract.outcome import TrainOutcome
from modelyard_api.contract.own_container import (
    JUDGEMENT_FILE,
    METRICS_FILE,
    MODEL_DIRECTORY,
    OUTPUT_DIRECTORY,
    PARAMETERS_FILE,
    Judgement,
)
from modelyard_api.contract.steps import ContainerStep
from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.training_job import ContainerSpec
from modelyard_runtime.errors import DataError
from modelyard_runtime.hashing import row_hashes
from modelyard_trainer import machine
from modelyard_trainer.bundle import PackedModel
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.answers import Answers, read_answers
from modelyard_trainer.evaluation.assess import Assessment, primary_of, weigh
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.evaluation.metrics import wanted_metrics
from modelyard_trainer.making import Material
from modelyard_trainer.own.places import Made, OwnCodeError, Places, first_fault, read_made, read_tree
from modelyard_trainer.own.use import use_of_pod
from modelyard_trainer.parameters import parameters_of
from modelyard_trainer.tracking.model_directory import DIRECTORY
from modelyard_trainer.train import (
    Attempt,
    Extra,
    Services,
    Source,
    Trained,
    answer_of,
    finished_run,
    log_extra,
    log_trained,
    read_source,
    tags_of_use,
    track,
)

FOLDER = "container"
"""Where the run keeps what the container wrote besides its model."""
REPORTED = "reported_"
"""Stands before a name of the container's that Modelyard gives a value of its own."""

_BUNDLE_FILES = (MODEL_FILE, GOLDEN_FILE, REFERENCE_FILE, TWIN_FILE)
_METRICS = 500
_PARAMETERS = 500
_NAME = re.compile(r"[A-Za-z0-9_./ -]{1,200}")
Value = TypeVar("Value")
_NUMBERS = TypeAdapter(dict[str, float])
_WORDS = TypeAdapter(dict[str, str | int | float | bool | None])


@dataclass(frozen=True)
class Reported:
    """What the container says of its work."""

    metrics: dict[str, float]
    parameters: dict[str, str]


@dataclass(frozen=True)
class Left:
    """What container and judge left, as far as it is as promised."""

    made: Made
    judged: dict[str, bytes]
    judgement: Judgement
    reported: Reported

    def answers(self) -> Answers:
        """Of a model that could be asked."""
        return read_answers(self.judged[PREDICTIONS], PREDICTIONS)


def read_left(places: Places) -> Left:
    """Raises OwnCodeError where something is not as promised."""
    made, judged = read_made(places.output), read_tree(places.judged)
    return Left(made, judged, read_judgement(judged), read_reported(made))


def record(step: ContainerStep, services: Services, places: Places) -> TrainOutcome:
    """Tracks and registers once; a step that was finished before is only read back.

    Raises OwnCodeError where what the container wrote is not as promised.
    """
    known = finished_run(step, services)
    if known is not None:
        return answer_of(step, services, known)
    # Exactly the rows that the container had, whatever a reference would be resolved to by now.
    pinned = step.model_copy(update={"data": places.document().data})
    source = read_source(pinned, services)
    left = read_left(places)
    made, judged, judgement, reported = left.made, left.judged, left.judgement, left.reported
    if judgement.bundle is None:
        metrics = unjudged_metrics(step.spec, reported)
        return track(
            pinned,
            services,
            source,
            _extra(pinned, source, Reported(metrics, reported.parameters), made, {}),
            lambda attempt: {
                **_log_unjudged(attempt, made, judgement.not_servable),
                **_tags_of_use(places, judgement),
            },
        )
    bundle, assessment = judgement.bundle, assessment_of(step.spec, source.material, left.answers())
    measured = assessment.numbers()
    metrics = {_free(name, measured): value for name, value in reported.metrics.items()}
    rest = {f"{MODEL_DIRECTORY}/{path}": own for path, own in made.model.items() if path != MODEL_FILE}
    return track(
        pinned,
        services,
        source,
        _extra(pinned, source, Reported(metrics, reported.parameters), made, rest),
        lambda attempt: {
            **log_trained(
                attempt,
                Trained(
                    packed_for(bundle, judged, step.spec, attempt.run.id, attempt.source.digest),
                    assessment,
                    machine.threads(),
                ),
            ),
            **_tags_of_use(places, judgement),
        },
    )


def read_judgement(judged: dict[str, bytes]) -> Judgement:
    """Raises OwnCodeError where the judge was ended, by the model that it ran, before it had answered."""
    try:
        found = Judgement.model_validate_json(judged.get(JUDGEMENT_FILE, b""))
    except ValidationError as error:
        raise _unjudged() from error
    if found.bundle is not None and not {MODEL_FILE, PREDICTIONS} <= judged.keys():
        raise _unjudged()
    return found


def _unjudged() -> OwnCodeError:
    return OwnCodeError(
        "ended the process that asked it before it had answered",
        field=f"{OUTPUT_DIRECTORY}/{MODEL_DIRECTORY}/{MODEL_FILE}",
        remedy="Leave signature.json out to keep the model without serving it",
    )


def read_reported(made: Made) -> Reported:
    """Raises OwnCodeError naming the entry that is none."""
    numbers = _document(METRICS_FILE, made.metrics, _NUMBERS, _METRICS)
    words = _document(PARAMETERS_FILE, made.parameters, _WORDS, _PARAMETERS)
    infinite = [name for name, value in numbers.items() if not np.isfinite(value)]
    if infinite:
        raise OwnCodeError(
            "is not a finite number",
            field=f"{METRICS_FILE}.{infinite[0]}",
            value=numbers[infinite[0]],
            remedy="Leave out what is not defined",
        )
    return Reported(numbers, {name: _text(value) for name, value in words.items()})


def unjudged_metrics(spec: ContainerSpec, reported: Reported) -> dict[str, float]:
    """The container's own metrics, of which the primary one has to be there: nobody else can measure it."""
    primary = primary_of(spec)
    if primary not in reported.metrics:
        raise OwnCodeError(
            f"lacks {primary}, by which models are compared; this one cannot be measured by Modelyard",
            field=f"{OUTPUT_DIRECTORY}/{METRICS_FILE}",
            remedy="Write its value on the test part, or name another metric as spec.evaluation.primary",
        )
    return reported.metrics


def assessment_of(spec: ContainerSpec, material: Material, answers: Answers) -> Assessment:
    """What the answers say of the model; the truth is ours, of the answers only what was predicted is taken."""
    test, told = material.version.test, answers.judged
    rows = row_hashes(test, material.version.manifest.key, 0)
    if not np.array_equal(rows, answers.rows):
        raise DataError("the answers are about other rows than those of the test part", field=PREDICTIONS)
    truth = material.data.test.y
    judged = Judged(truth, told.predicted, told.classes, told.probabilities, told.decisions)
    classes = [] if told.classes is None else sorted(set(material.data.train.y.tolist()))
    wanted = wanted_metrics(spec.evaluation, spec.task, judged.given, classes)
    return weigh(judged, material.data, spec, wanted)


def packed_for(
    bundle: Bundle, judged: dict[str, bytes], spec: ContainerSpec, run_id: str, dataset_digest: str
) -> PackedModel:
    """The judge's bundle as one of a run."""
    files = {name: judged[name] for name in _BUNDLE_FILES if name in judged}
    update = {
        "task": spec.task,
        "target": spec.target,
        "run_id": run_id,
        "dataset_digest": dataset_digest,
        "files": [
            BundleFile(name=name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
            for name, content in sorted(files.items())
        ],
    }
    return PackedModel(bundle.model_copy(update=update), files)


def _log_unjudged(attempt: Attempt, made: Made, reason: str) -> dict[str, str]:
    """The model as the container left it; the tags of its run name no bundle, so that no promotion takes it."""
    for path, content in made.model.items():
        attempt.services.runs.log_file(attempt.run, f"{DIRECTORY}/{path}", content)
    log_extra(attempt)
    return {labels.TAG_MODEL_DIGEST: digest_of_files(made.model), labels.TAG_NOT_SERVABLE: reason}


def digest_of_files(files: Mapping[str, bytes]) -> str:
    """Digest of a model that is kept as it is."""
    return canonical_digest({path: hashlib.sha256(content).hexdigest() for path, content in files.items()})


def _tags_of_use(places: Places, judgement: Judgement) -> dict[str, str]:
    used = use_of_pod(places.meter, judgement.used)
    return {} if used is None else tags_of_use(used)


def _extra(
    step: ContainerStep, source: Source, reported: Reported, made: Made, rest: Mapping[str, bytes]
) -> Extra:
    """``rest`` are files that are kept beside the container's two documents."""
    own = parameters_of(step, source.material.version, source.material.plan)
    files = {METRICS_FILE: made.metrics, PARAMETERS_FILE: made.parameters, **rest}
    return Extra(
        parameters={_free(name, own): value for name, value in reported.parameters.items()},
        metrics=reported.metrics,
        files=lambda: {f"{FOLDER}/{path}": content for path, content in files.items() if content is not None},
    )


def _document(
    name: str, content: bytes | None, kind: TypeAdapter[dict[str, Value]], most: int
) -> dict[str, Value]:
    if content is None:
        return {}
    try:
        found = kind.validate_json(content)
    except ValidationError as error:
        raise OwnCodeError(
            f"cannot be read: {first_fault(error)}",
            field=name,
            remedy="Write one JSON object of names and values",
        ) from error
    wrong = next((key for key in found if not _NAME.fullmatch(key)), None)
    if wrong is not None:
        raise OwnCodeError(
            "is not a name that MLflow takes",
            field=name,
            value=wrong,
            remedy="Use letters, digits, and _ - . / or blanks, 200 at most",
        )
    if len(found) > most:
        raise OwnCodeError(f"has {len(found)} entries, at most {most} are taken", field=name)
    return found


def _free(name: str, taken: Container[str]) -> str:
    return f"{REPORTED}{name}" if name in taken else name


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
