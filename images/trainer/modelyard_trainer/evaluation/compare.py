"""Compares runs: ``python -m modelyard_trainer.evaluation.compare -o out.html a/evaluation.json b/evaluation.json``.

Where ``predictions.parquet`` stands beside these files, the runs are compared row by row, too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from modelyard_runtime.errors import DataError, StepError
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.answers import read_answers
from modelyard_trainer.evaluation.record import EvaluationRecord
from modelyard_trainer.evaluation.report.comparison import comparison_report


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the report; 2 and a sentence where there is nothing to compare."""
    parser = argparse.ArgumentParser(prog="modelyard_trainer.evaluation.compare", description="compare runs")
    parser.add_argument("records", nargs="+", type=Path, help="evaluation.json of each run")
    parser.add_argument("-o", "--output", type=Path, required=True, help="HTML file to write")
    given = parser.parse_args(arguments)
    try:
        records = [read_record(path) for path in given.records]
        answers = {
            record.facts.run_id: read_answers(beside.read_bytes(), str(beside))
            for record, path in zip(records, given.records, strict=True)
            if (beside := path.with_name(PREDICTIONS)).is_file()
        }
        given.output.write_bytes(comparison_report(records, answers))
    except StepError as error:
        sys.stderr.write(f"{error.failure().sentence()}\n")
        return 2
    return 0


def read_record(path: Path) -> EvaluationRecord:
    """The record of a file. Raises DataError where it is none."""
    try:
        return EvaluationRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", field=str(path)) from error
    except ValidationError as error:
        raise DataError(
            "is no record of an evaluation",
            field=str(path),
            remedy="Give the file evaluation/evaluation.json of a run",
        ) from error


if __name__ == "__main__":
    sys.exit(main())
