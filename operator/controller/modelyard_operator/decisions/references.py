"""Which versions of a Dataset the resources of its namespace refer to, so that retention keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from modelyard_api.v1alpha1.training_job import LearningSpec
from modelyard_operator.objects.custom import DatasetObject, PromotionObject, TrainingJobObject
from modelyard_operator.objects.steps import References


def references_to(
    name: str,
    training_jobs: Iterable[TrainingJobObject],
    promotions: Iterable[PromotionObject],
    datasets: Iterable[DatasetObject],
) -> References:
    """What TrainingJobs of the Dataset pin or were trained on, promotions serve, and other Datasets are made from."""
    digests: set[str | None] = set()
    sequences: set[int] = set()
    times: set[datetime] = set()
    for job in training_jobs:
        if not isinstance(job.spec, LearningSpec) or job.spec.dataset_ref.name != name:
            continue
        pinned = job.spec.dataset_ref
        digests.add(pinned.digest)
        if pinned.sequence is not None:
            sequences.add(pinned.sequence)
        if pinned.as_of is not None:
            times.add(pinned.as_of)
        if job.status.dataset_version is not None:
            digests.add(job.status.dataset_version.digest)
    for promotion in promotions:
        status = promotion.status
        for served in (status.champion, status.previous, *status.history):
            digests.add(served.dataset_digest if served else None)
    for dataset in datasets:
        parent = dataset.status.load.parent if dataset.status.load else None
        digests.add(parent.digest if parent else None)
    return References(
        tuple(sorted(item for item in digests if item)), tuple(sorted(sequences)), tuple(sorted(times))
    )
