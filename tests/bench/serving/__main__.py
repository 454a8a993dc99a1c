"""`python -m tests.bench.serving`: one row a request over HTTP, beside a bare server and those that a user could pick instead."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from bringup.paths import REPOSITORY
from tests.bench.figures import Figure, summarise, table, write_between, write_document
from tests.bench.serving.cases import COMPILED, LINE, NOT_COMPILED, Served, served
from tests.bench.serving.contenders import CONTENDERS, TWO, Contender
from tests.bench.serving.goals import judgement, listed, relations
from tests.bench.serving.measuring import Extent, measured
from tests.support.s3 import S3Server, running_store

_BUILD = REPOSITORY / "build" / "bench"
_CASES = (*COMPILED, *NOT_COMPILED)


def main() -> None:
    """Measures, prints the table, writes the document, and with `--docs` the page."""
    names = [contender.name for contender in CONTENDERS]
    parser = argparse.ArgumentParser(prog="bench serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rates", type=int, nargs="*", default=[500, 1000, 2000], help="of the open loop")
    parser.add_argument("--models", nargs="+", choices=_CASES, default=list(_CASES))
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="who is measured")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    given = parser.parse_args()
    chosen = [contender for contender in CONTENDERS if contender.name in given.only]
    for absent in (each for each in chosen if not each.is_there):
        _say(f"{absent.name} is left out: {absent.interpreter} is not there (make lock, hack/bench)")
    present = [contender for contender in chosen if contender.is_there]
    extent = Extent(given.seconds, given.rates)
    figures: list[Figure] = []
    failed: list[str] = []
    with (
        running_store("minio") as s3,
        tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        models = list(served(given.models))
        for number in range(given.rounds):
            _say(f"round {number + 1} of {given.rounds}")
            # In turn, so that none always comes after the same one.
            order = present if number % 2 == 0 else present[::-1]
            for model in models:
                found = list(_one_round(model, order, s3, Path(name) / str(number), extent, failed))
                figures += [*found, *relations(found)]
    summaries = summarise(figures)
    text = table(summaries, [contender.name for contender in present])
    sys.stdout.write(f"{text}\n{judgement(summaries)}\n")
    write_document(summaries, _BUILD / "serving.json")
    if given.docs:
        write_between(given.docs, "serving", f"{text}\n{listed(summaries)}\n")
    if failed:
        # What the others cost is not thrown away for it, but a run without all of ours is no good one.
        sys.exit(f"not measured: {', '.join(failed)}")


def _one_round(
    model: Served,
    contenders: list[Contender],
    s3: S3Server,
    directory: Path,
    extent: Extent,
    failed: list[str],
) -> Iterator[Figure]:
    """Every contender once with one model; what one cannot serve is said, and costs the others nothing.

    Where that is one of ours, its name and the model's are added to ``failed``.
    """
    for contender in contenders:
        if contender.name == TWO and model.name != LINE:
            continue
        _say(f"{model.name}: {contender.name}")
        place = directory / f"{_CASES.index(model.name)}-{CONTENDERS.index(contender)}"
        try:
            yield from list(measured(contender, model, s3, place, extent))
        except Exception as error:  # noqa: BLE001  whatever a server does, the others are measured
            log = place / "server.log"
            end = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            _say(f"{contender.name} is left out of {model.name}: {error}\n{end}")
            if contender.environment == "server":
                failed.append(f"{contender.name} with {model.name}")


def _say(what: str) -> None:
    print(what, file=sys.stderr)  # noqa: T201  progress, apart from the table


if __name__ == "__main__":
    main()
