"""`python -m tests.bench.training`: trials, starts and memory of training, beside scripts of one's own."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bringup.paths import REPOSITORY
from tests.bench.figures import Figure, summarise, table, write_between, write_document
from tests.bench.training import cluster, fitting, searching
from tests.bench.training.goals import judgement
from tests.bench.training.names import EVERYONE
from tests.bench.training.stage import Stage, staged

_BUILD = REPOSITORY / "build" / "bench"
_WAYS = ("grid", "tpe")
_PARTS = ("start", "memory", "search")


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    trials: int
    rows: int
    only: Sequence[str]
    cluster: cluster.Target | None
    jobs: int


def main() -> None:
    """Measures, prints the table, writes the document, and with `--docs` the page."""
    arguments = _arguments()
    target = None
    if arguments.kubeconfig is not None:
        names = (arguments.namespace, arguments.dataset, arguments.target)
        target = cluster.Target(arguments.kubeconfig, *names)
    extent = Extent(
        arguments.rounds, arguments.trials, arguments.rows, arguments.only, target, arguments.jobs
    )
    summaries = summarise(measure(extent))
    present = {summary.contender for summary in summaries}
    text = table(summaries, [name for name in EVERYONE if name in present])
    sys.stdout.write(f"{text}\n{judgement(summaries, extent.trials, extent.rows)}\n")
    write_document(summaries, _BUILD / "training.json")
    if arguments.docs:
        write_between(arguments.docs, "training", text)


def measure(extent: Extent) -> Iterator[Figure]:
    """All that is asked for, one thing after the other."""
    parts: dict[str, Callable[[Stage, Extent], Iterator[Figure]]] = {
        "start": _starts,
        "memory": _memory,
        "search": _searches,
    }
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name, staged(Path(name)) as stage:
        for part, measured in parts.items():
            if part in extent.only:
                yield from measured(stage, extent)
    if extent.cluster is not None:
        _say(f"{extent.jobs} jobs on the cluster, twice")
        yield from cluster.measure(extent.cluster, extent.jobs)


def _starts(stage: Stage, extent: Extent) -> Iterator[Figure]:
    houses = stage.made("houses")
    # The first ones of all write byte code and fill the disk's cache.
    list(fitting.starts(stage, houses, 0))
    for number in range(extent.rounds):
        _say(f"start, round {number + 1} of {extent.rounds}")
        yield from fitting.starts(stage, houses, number)


def _memory(stage: Stage, extent: Extent) -> Iterator[Figure]:
    rows = stage.made("rows", extent.rows)
    for estimator in fitting.ESTIMATORS:
        for number in range(extent.rounds):
            _say(f"memory of {estimator}, round {number + 1} of {extent.rounds}")
            yield from fitting.memory(stage, rows, extent.rows, estimator)


def _searches(stage: Stage, extent: Extent) -> Iterator[Figure]:
    houses = stage.made("houses")
    for way in _WAYS:
        for number in range(extent.rounds):
            _say(f"{way}, round {number + 1} of {extent.rounds}")
            yield from searching.one_round(stage, houses, way, extent.trials, number)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=60, help="of each study, 60 at most")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the fit whose memory is measured")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="what is measured")
    parser.add_argument("--kubeconfig", type=Path, help="a cluster with the platform, measured as well")
    parser.add_argument("--namespace", default="demo", help="the project on the cluster")
    parser.add_argument("--dataset", default="california-housing", help="a ready Dataset there")
    parser.add_argument("--target", default="MedHouseVal", help="a number of its variant v1")
    parser.add_argument("--jobs", type=int, default=20, help="TrainingJobs on the cluster")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    arguments = parser.parse_args()
    if not 1 <= arguments.trials <= searching.MOST_TRIALS:
        parser.error(f"--trials: 1 to {searching.MOST_TRIALS}")
    return arguments


def _say(what: str) -> None:
    print(what, file=sys.stderr)  # noqa: T201  progress, apart from the table


if __name__ == "__main__":
    main()
