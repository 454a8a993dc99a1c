"""Own code that was at work a second time: what it left now beside what its run has of the first time."""

from __future__ import annotations

from modelyard_api.v1alpha1.training_job import ContainerSpec
from modelyard_trainer import machine
from modelyard_trainer.making import Material
from modelyard_trainer.own.places import Places
from modelyard_trainer.own.record import Left, assessment_of, digest_of_files, packed_for, read_left
from modelyard_trainer.own.use import use_of_pod
from modelyard_trainer.replay import differences
from modelyard_trainer.replay.original import Original
from modelyard_trainer.replay.result import Again, Result, answers_of, compared, judged_again


def of_container(original: Original, spec: ContainerSpec, material: Material, places: Places) -> Result:
    """Compares. Raises OwnCodeError where what the container left this time is not as promised."""
    left = read_left(places)
    result = _compared(original, spec, material, left)
    found = [*differences.of_own_image(spec.container.image), *result.differences]
    if result.differences:
        # As a reason for the others only: it changes nothing by itself.
        found += differences.of_threads(original.record.threads, machine.threads())
    clause = f"image of the container, {result.compared}"
    used = use_of_pod(places.meter, left.judgement.used)
    return Result(found, result.metrics, clause, used)


def _compared(original: Original, spec: ContainerSpec, material: Material, left: Left) -> Result:
    bundle, was_servable = left.judgement.bundle, original.answers is not None
    if bundle is not None and was_servable:
        assessment = assessment_of(spec, material, left.answers())
        packed = packed_for(bundle, left.judged, spec, original.run.id, original.record.data.digest)
        return compared(
            original, Again(answers_of(assessment, material), assessment.numbers(), packed.digest)
        )
    metrics = left.reported.metrics
    found = [
        *differences.of_serving(was_servable, left.judgement.not_servable),
        *differences.of_metrics(judged_again(original, metrics), metrics),
    ]
    if not was_servable and bundle is None:
        found += differences.of_model(original.model_digest, digest_of_files(left.made.model))
    return Result(found, metrics, f"{len(metrics)} metrics that it reports, bytes of its files")
