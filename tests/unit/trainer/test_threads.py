"""Pools of compiled libraries keep to the threads of the pod, and are looked for once."""

import sys
from types import ModuleType
from typing import Any

import pytest
from imblearn.ensemble import BalancedRandomForestClassifier
from lightgbm import LGBMRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_info
from xgboost import XGBRegressor

from modelyard_trainer import threads
from modelyard_trainer.threads import limited_to, sum_in_order


def test_every_pool_is_limited_for_the_time_of_the_block_and_set_back_after_it() -> None:
    before = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    with limited_to(1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()} == before


def test_pools_are_looked_for_again_after_something_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited_to(1):
        pass
    known = threads._pools(len(sys.modules))
    assert threads._pools(len(sys.modules)) is known
    monkeypatch.setitem(sys.modules, "modelyard_something_new", ModuleType("modelyard_something_new"))
    assert threads._pools(len(sys.modules)) is not known


@pytest.mark.parametrize(
    ("estimator", "kept"),
    [
        (RandomForestRegressor(n_jobs=3), None),
        (BalancedRandomForestClassifier(n_jobs=3), None),
        (LGBMRegressor(n_jobs=3), 3),
        (XGBRegressor(n_jobs=3), 3),
    ],
    ids=["forest", "balanced forest", "LightGBM", "XGBoost"],
)
def test_only_answers_that_are_sums_over_threads_are_made_on_one(estimator: Any, kept: int | None) -> None:  # noqa: ANN401
    sum_in_order(make_pipeline(estimator))
    assert estimator.n_jobs == kept
