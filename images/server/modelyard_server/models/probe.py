"""Reads a model with boosters in a process of its own first.

XGBoost and LightGBM read their trees in compiled code that trusts them: a file made for it, or only broken, can end the
process. Here that ends a process that answers nobody.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator

import numpy as np
import skops.io

from modelyard_server.errors import BundleError
from modelyard_server.models.archive import inspect_archive
from modelyard_server.models.integrity import check_integrity, parts
from modelyard_server.models.memory import Room, limit_data, unlimited

_BOOSTERS = frozenset({"lightgbm.basic.Booster", "xgboost.core.Booster"})
_PATIENCE_SECONDS = 120
_RAISED = 1
_REFUSED = 3


def probe(content: bytes, names: Iterable[str], room: Room = unlimited) -> None:
    """Raises BundleError where a model with boosters cannot be read, or not in the room that is left.

    Others are left alone.
    """
    if _BOOSTERS.isdisjoint(names):
        return
    free = room()
    command = [sys.executable, "-m", __name__, *([] if free is None else [str(free)])]
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"the model's trees are not read in {_PATIENCE_SECONDS} s") from error
    if done.returncode == _REFUSED:
        raise BundleError(done.stdout.decode(errors="replace").strip())
    if done.returncode == _RAISED:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BundleError(f"the model cannot be built: {reason}")
    if done.returncode != 0:
        raise BundleError(f"the model's trees end the process that reads them (status {done.returncode})")


def main() -> int:
    """Reads the model on standard input and asks each booster for one row; the reason of a refusal is printed.

    An argument says how many bytes of memory that may take.
    """
    if len(sys.argv) > 1:
        limit_data(int(sys.argv[1]))
    try:
        content = sys.stdin.buffer.read()
        model = skops.io.loads(content, trusted=sorted(inspect_archive(content)))
        check_integrity(model)
        for booster in _boosters(model):
            _ask(booster)
    except BundleError as error:
        sys.stdout.write(str(error))
        return _REFUSED
    except MemoryError:
        sys.stdout.write("the model does not fit the memory that the pod has left")
        return _REFUSED
    return 0


def _boosters(model: object) -> Iterator[object]:
    for part in parts(model):
        if f"{type(part).__module__}.{type(part).__qualname__}" in _BOOSTERS:
            yield part


def _ask(booster: object) -> None:
    width = getattr(booster, "num_features", None) or getattr(booster, "num_feature", None)
    predict = getattr(booster, "inplace_predict", None) or getattr(booster, "predict", None)
    if width is None or predict is None:
        raise BundleError("a booster of the model cannot predict")
    for value in (0.0, np.nan):
        predict(np.full((1, width()), value))


if __name__ == "__main__":
    sys.exit(main())
