"""Model files of allowed types whose arrays contradict each other, where compiled code would read beyond one of them.

Also boosters: their own libraries read them, in a process that answers nobody.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import skops.io
import xgboost
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import SplineTransformer
from sklearn.svm import SVC, SVR

from tests.support.hostile_files import Forge, Payload, entries, saved_array, with_array, with_sparse, zipped
from tests.support.hostile_nodes import SCHEMA

_MISFITS = "do not fit together"
_ROWS = np.random.default_rng(0).normal(size=(60, 3))
_LABELS = np.arange(60) % 3
_VALUES = _ROWS.sum(axis=1)


def misfits() -> dict[str, Payload]:
    """Arrays of which one says where another is read."""
    vectors = SVC().fit(_ROWS, _LABELS)
    likely = SVR().fit(_ROWS, _VALUES)
    thin = SVC().fit(sparse.csr_matrix(_ROWS), _LABELS)
    nearest = KNeighborsClassifier(algorithm="brute").fit(_ROWS, _LABELS)
    few = KNeighborsClassifier(algorithm="brute").fit(sparse.csr_matrix(_ROWS), _LABELS)
    spline = SplineTransformer().fit(_ROWS)
    found = {
        "support vectors with too few coefficients": with_array(
            vectors, "_dual_coef_", lambda held: held[:, :1]
        ),
        "support vectors of classes that are not there": with_array(
            vectors, "_n_support", lambda held: held * 1000
        ),
        "support vectors that are fewer than none": with_array(
            vectors, "_n_support", lambda held: held * np.array([1, -1, 1], held.dtype)
        ),
        "support vectors without an intercept": with_array(vectors, "_intercept_", lambda held: held[:0]),
        "support vectors of other rows": with_array(likely, "support_vectors_", lambda held: held[:, :1]),
        "sparse support vectors far away": with_sparse(thin, "support_vectors_", _set("indices.npy", 10**9)),
        "neighbours of another width": with_array(nearest, "_fit_X", lambda held: held[:, :1]),
        "neighbours with labels that are not there": with_array(nearest, "_y", lambda held: held + 10**6),
        "sparse neighbours far away": with_sparse(few, "_fit_X", _set("indices.npy", 10**9)),
        "sparse neighbours whose rows go backwards": with_sparse(few, "_fit_X", _set("indptr.npy", 10**9)),
        "a spline with too few coefficients": with_array(spline, "_c", lambda held: held[:1]),
        "a spline whose knots go backwards": with_array(spline, "_t", lambda held: held[::-1]),
    }
    return {what: Payload(forge, _MISFITS) for what, forge in found.items()}


def bombs() -> dict[str, Payload]:
    """Files that come to more than they seem to."""

    def nested(_: Path) -> bytes:
        inner = zipped({"data.npy": saved_array(np.zeros(500_000))}, compression=8)
        return zipped({**_small(), **{f"x{number}.npz": inner for number in range(8)}})

    def sizeless(_: Path) -> bytes:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head, {"descr": "|S0", "fortran_order": False, "shape": (10**12,)}
        )
        return zipped({**_small(), "x.npy": head.getvalue()})

    def damaged(_: Path) -> bytes:
        content = bytearray(zipped(_small(), compression=8))
        content[60:90] = b"\xff" * 30
        return bytes(content)

    return {
        "archives in the archive that together unpack to more than is allowed": Payload(nested, "comes to"),
        "an array of endless values of no size": Payload(sizeless, "no size"),
        "an archive whose packed bytes are damaged": Payload(damaged, "not a skops file"),
    }


def boosters() -> dict[str, Payload]:
    """Boosters whose trees were changed. Each costs a process."""
    gradient = skops.io.dumps(xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(_ROWS, _VALUES))
    light = skops.io.dumps(lightgbm.LGBMRegressor(n_estimators=2, verbose=-1, n_jobs=1).fit(_ROWS, _VALUES))

    def trees(array: str) -> Forge:
        return lambda _: _edited(gradient, lambda data: _first_of(array, data))

    def text(old: str, new: str) -> Forge:
        return lambda _: _rewritten(light, old, new)

    return {
        "a tree of XGBoost whose child is far away": Payload(trees("left_children"), ""),
        "a tree of XGBoost that reads a feature that is not there": Payload(trees("split_indices"), ""),
        "a tree of LightGBM whose child is far away": Payload(
            text("left_child=-1", "left_child=-900000"), ""
        ),
        "a tree of LightGBM that goes round for ever": Payload(text("left_child=-1", "left_child=0"), ""),
        "a tree of LightGBM that reads a feature that is not there": Payload(
            text("split_feature=2", "split_feature=900000"), ""
        ),
    }


def _set(name: str, value: int) -> Callable[[dict[str, np.ndarray]], object]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays[name][1] = value

    return change


def _small() -> dict[str, bytes]:
    return entries(skops.io.dumps(SVR().fit(_ROWS, _VALUES)))


def _edited(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    return zipped(
        {name: change(data) if name.endswith(".bin") else data for name, data in entries(content).items()}
    )


def _first_of(array: str, data: bytes) -> bytes:
    """The first number of a typed array of 32-bit numbers in UBJSON, replaced by one that is far too large."""
    mark = array.encode() + b"[$l#L"
    at = data.index(mark) + len(mark) + 8
    return data[:at] + struct.pack(">i", 10**8) + data[at + 4 :]


def _rewritten(content: bytes, old: str, new: str) -> bytes:
    held = entries(content)
    schema: Any = json.loads(held[SCHEMA])
    text = json.dumps(schema)
    assert old in text
    return zipped({**held, SCHEMA: text.replace(old, new).encode()})
