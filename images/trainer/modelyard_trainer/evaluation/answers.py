"""A model's answers on the test rows as a file: for people to look into, and to compare runs row by row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_runtime.errors import DataError
from modelyard_runtime.hashing import row_hashes
from modelyard_trainer.evaluation.judged import Judged

FILE = "predictions.parquet"
MOST_SCORES = 4_000_000
"""Rows times classes, 32 MB, above which scores are left out."""
_KEY, _TRUTH, _PREDICTION, _SCORE = "key.", "truth", "prediction", "score."
_ABOUT = b"modelyard"
_SEED = 0


@dataclass(frozen=True)
class Answers:
    """Answers, and the rows that they are about."""

    rows: np.ndarray
    """Hash of each row's key, uint64."""
    judged: Judged


def answers_file(judged: Judged, test: pa.Table, key: Sequence[str]) -> bytes:
    """Parquet with a row's key, truth, prediction and a score a class. ``test`` has the rows in the order of ``judged``."""
    columns: dict[str, pa.Array | pa.ChunkedArray] = {f"{_KEY}{name}": test.column(name) for name in key}
    columns[_TRUTH] = pa.array(judged.truth)
    columns[_PREDICTION] = pa.array(judged.predicted)
    classes = [] if judged.classes is None else judged.classes.tolist()
    kind, scores = "", judged.scores
    if scores is not None and scores.size <= MOST_SCORES:
        kind = "decisions" if judged.probabilities is None else "probabilities"
        columns |= {f"{_SCORE}{label}": pa.array(scores[:, place]) for place, label in enumerate(classes)}
    about = json.dumps({"classes": classes, "scores": kind}).encode()
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, metadata={_ABOUT: about}), sink, compression="zstd")
    return bytes(sink.getvalue())


def read_answers(content: bytes, name: str) -> Answers:
    """What ``answers_file`` wrote. Raises DataError where it is none; ``name`` says which file."""
    try:
        table = pq.read_table(pa.BufferReader(content))
        about = json.loads(table.schema.metadata[_ABOUT])
        truth, predicted = (_plain(table.column(column)) for column in (_TRUTH, _PREDICTION))
        classes = np.array(about["classes"]) if about["classes"] else None
        scores = None
        if about["scores"]:
            scores = np.column_stack([table.column(f"{_SCORE}{one}").to_numpy() for one in about["classes"]])
        keys = [column for column in table.column_names if column.startswith(_KEY)]
        rows = hashes_of(table, keys)
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DataError(
            "holds no predictions of a run", field=name, remedy=f"Give the file evaluation/{FILE} of the run"
        ) from error
    if about["scores"] == "decisions":
        return Answers(rows, Judged(truth, predicted, classes, decisions=scores))
    return Answers(rows, Judged(truth, predicted, classes, scores))


def hashes_of(table: pa.Table, key: Sequence[str]) -> np.ndarray:
    """What stands for each row in ``Answers.rows``: a hash of its key's values, whatever their names."""
    return row_hashes(table, key, _SEED)


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), dtype=np.str_)
    return np.asarray(column.to_numpy())
