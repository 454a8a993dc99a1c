"""Runs by the words of a command line: an id of MLflow, or the name of a TrainingJob that is there or was."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from modelyard_cli.cluster.client import Cluster, open_cluster
from modelyard_cli.cluster.kinds import TRAINING_JOB
from modelyard_cli.errors import CommandError
from modelyard_cli.objects import training_job_seen
from modelyard_cli.options import Target
from modelyard_cli.runs import Run
from modelyard_cli.tracking.access import open_tracking
from modelyard_cli.tracking.client import Tracking

_ID = re.compile(r"[0-9a-f]{32}")


@contextmanager
def opened(target: Target) -> Iterator[tuple[Cluster, Tracking]]:
    """Cluster and MLflow of a command line while the block runs."""
    with open_cluster(target) as cluster, open_tracking(cluster) as tracking:
        yield cluster, tracking


def find_runs(cluster: Cluster, tracking: Tracking, words: Sequence[str]) -> list[Run]:
    """One run for each word. Raises CommandError for a word that names none."""
    return [
        _find(cluster, tracking, word.removeprefix("trainingjob/").removeprefix("mtj/")) for word in words
    ]


def _find(cluster: Cluster, tracking: Tracking, word: str) -> Run:
    if _ID.fullmatch(word):
        found = tracking.run(word)
        if found is None:
            raise CommandError(f"MLflow has no run {word} in the workspace {cluster.namespace}")
        return found
    document = cluster.find(TRAINING_JOB, word)
    if document is not None:
        run = training_job_seen(document).status.run
        of_status = tracking.run(run.id) if run is not None else None
        if of_status is not None:
            return of_status
    earlier = tracking.runs_of_job(word)
    if earlier:
        return earlier[0]
    what = (
        "has no run yet" if document is not None else f"is not there, and no run of it in {cluster.namespace}"
    )
    raise CommandError(f"the TrainingJob {word} {what}")
