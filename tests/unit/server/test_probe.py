"""Boosters whose bytes were changed end a process that answers nobody."""

import io
import json
import zipfile
from typing import Any

import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.ensemble import VotingRegressor

from modelyard_server.errors import BundleError
from modelyard_server.models.archive import inspect_archive
from modelyard_server.models.probe import probe

X = np.random.default_rng(0).normal(size=(60, 3))
Y = X @ [1.0, 2.0, 3.0]


def edited(content: bytes, change: Any) -> bytes:  # noqa: ANN401  a function of name and bytes
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, change(name, source.read(name)))
    return target.getvalue()


def xgb() -> xgboost.XGBRegressor:
    return xgboost.XGBRegressor(n_estimators=2, n_jobs=1)


def lgbm() -> lightgbm.LGBMRegressor:
    return lightgbm.LGBMRegressor(n_estimators=2, n_jobs=1, verbose=-1)


def dumped(model: Any) -> bytes:  # noqa: ANN401  of any library
    content: bytes = skops.io.dumps(model.fit(X, Y))
    return content


def test_sound_boosters_are_let_through() -> None:
    content = dumped(VotingRegressor([("one", xgb()), ("other", lgbm())]))
    names = inspect_archive(content)
    assert {"xgboost.core.Booster", "lightgbm.basic.Booster"} <= set(names)
    probe(content, names)


def test_trees_of_xgboost_that_are_cut_off_are_refused() -> None:
    content = edited(dumped(xgb()), lambda name, data: data[:200] if name.endswith(".bin") else data)
    with pytest.raises(BundleError, match=r"cannot be built|end the process"):
        probe(content, inspect_archive(content))


def test_trees_of_lightgbm_that_end_their_reader_are_refused() -> None:
    def change(name: str, data: bytes) -> bytes:
        if name != "schema.json":
            return data
        return json.dumps(json.loads(data)).replace("num_leaves=", "num_leaves=99999").encode()

    sound = dumped(lgbm())
    content = edited(sound, change)
    assert content != sound
    with pytest.raises(BundleError, match=r"cannot be built|end the process|points outside"):
        probe(content, inspect_archive(content))


def test_a_model_without_boosters_costs_no_process() -> None:
    probe(b"not even an archive", {"sklearn.linear_model._ridge.Ridge"})
