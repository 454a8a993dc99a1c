"""`python -m tests.bench.monitoring`: what the prediction log and drift cost, and how often drift is called."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bringup.paths import REPOSITORY
from tests.bench.figures import summarise, table, write_between, write_document
from tests.bench.judging import Goal, judged
from tests.bench.monitoring import cost, drift

GOALS = (
    Goal(drift.US, cost.ROW, cost.ON_THE_REQUEST, "µs", 2),
    Goal(drift.US, cost.ROW, cost.DRIFT_ALONE, "µs", 10),
    Goal(drift.US, cost.ROW, cost.LOG_AND_DRIFT, "µs", 30),
    # Columns of one data set go together, so that several tests err less often than as many that do not.
    *(Goal(drift.US, drift.HOUSES, figure, "%", 1.5 * asked) for asked, figure in drift.FALSE_ALARMS.items()),
    Goal(drift.US, drift.HOUSES, drift.FALSE_ALARMS[5.0], "%", 2.5, at_least=True),
    Goal(drift.US, drift.HOUSES, drift.FOUND, "%", 90, at_least=True),
)


def main() -> None:
    """Measures, prints the table and which goals are kept, writes the document, and with `--docs` the page."""
    parser = argparse.ArgumentParser(prog="bench monitoring", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of the cost")
    parser.add_argument("--splits", type=int, default=200, help="of the rows, each giving five windows")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    arguments = parser.parse_args()
    summaries = summarise([*cost.rounds(arguments.rounds), *drift.rounds(arguments.splits)])
    text = table(summaries, [drift.US])
    sys.stdout.write(f"{text}\n{judged(GOALS, summaries)}\n")
    write_document(summaries, REPOSITORY / "build" / "bench" / "monitoring.json")
    if arguments.docs:
        write_between(arguments.docs, "monitoring", text)


if __name__ == "__main__":
    main()
