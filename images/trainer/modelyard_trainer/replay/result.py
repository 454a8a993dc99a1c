"""What came of a run the second time, and by what it differs from the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from modelyard_api.contract.used import Used
from modelyard_trainer import machine
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.answers import Answers, answers_file, read_answers
from modelyard_trainer.evaluation.assess import Assessment
from modelyard_trainer.making import Material, make, packed
from modelyard_trainer.replay import differences
from modelyard_trainer.replay.original import Original


@dataclass(frozen=True)
class Result:
    """A comparison."""

    differences: list[str]
    metrics: dict[str, float]
    """All that were worked out this time."""
    compared: str
    """What was looked at besides image, libraries and rows, as a clause."""
    used: Used | None = None
    """What making it took, where that was measured."""


@dataclass(frozen=True)
class Again:
    """A model that could be asked the second time."""

    answers: Answers
    metrics: dict[str, float] = field(repr=False)
    model_digest: str


def of_pipeline(original: Original, material: Material) -> Result:
    """Fits the run's pipeline with the threads that it had, and asks what comes of it."""
    spec = original.pipeline()
    made = make(spec, material, original.record.threads)
    # With the id of the run that is made again: the id is a part of the bundle.
    model = packed(made.model, spec, material, original.run.id, original.record.data.digest)
    again = Again(answers_of(made.assessment, material), made.assessment.numbers(), model.digest)
    return replace(compared(original, again), used=machine.used_so_far())


def answers_of(assessment: Assessment, material: Material) -> Answers:
    """The answers as a file and back, since that is what the recorded ones went through."""
    version = material.version
    content = answers_file(assessment.judged, version.test, version.manifest.key)
    return read_answers(content, PREDICTIONS)


def compared(original: Original, again: Again) -> Result:
    """Answers, metrics and model, the first time and the second."""
    assert original.answers is not None  # noqa: S101  the caller asked
    found = [
        *differences.of_answers(original.answers, again.answers),
        *differences.of_metrics(judged_again(original, again.metrics), again.metrics),
        *differences.of_model(original.model_digest, again.model_digest),
    ]
    clause = f"predictions of {len(again.answers.rows)} test rows, {len(again.metrics)} metrics, bytes of the model"
    return Result(found, again.metrics, clause)


def judged_again(original: Original, metrics: Mapping[str, float]) -> dict[str, float]:
    """The run's metrics but those that are not of the model, such as what its search took."""
    return {name: value for name, value in original.run.metrics.items() if name in metrics}
