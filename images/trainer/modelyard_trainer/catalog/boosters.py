"""Classes of XGBoost and LightGBM: neither publishes constraints as data, so what is documented stands here.

Which parameters there are comes from the signatures of the installed versions. One that has no line here is closed:
the libraries take functions, devices, callbacks and names of files that way.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

import lightgbm
import xgboost
from sklearn.base import BaseEstimator

from modelyard_api.catalog.model import Accept, CatalogClass, Kind, Parameter, ValueType

BOOSTERS: tuple[type[BaseEstimator], ...] = (
    lightgbm.LGBMClassifier,
    lightgbm.LGBMRegressor,
    xgboost.XGBClassifier,
    xgboost.XGBRegressor,
    xgboost.XGBRFClassifier,
    xgboost.XGBRFRegressor,
)
REFUSED_BOOSTERS = {
    "DaskLGBMClassifier": "needs a cluster of Dask",
    "DaskLGBMRanker": "needs a cluster of Dask",
    "DaskLGBMRegressor": "needs a cluster of Dask",
    "LGBMModel": "is neither a regressor nor a classifier: use LGBMRegressor or LGBMClassifier",
    "LGBMRanker": "ranks groups of rows, which no task asks for",
    "XGBModel": "is neither a regressor nor a classifier: use XGBRegressor or XGBClassifier",
    "XGBRanker": "ranks groups of rows, which no task asks for",
}
_NULL = Accept(type=ValueType.NULL)
_BOOLEAN = Accept(type=ValueType.BOOLEAN)
_SEED = Accept(type=ValueType.INTEGER, minimum=0, maximum=2**31 - 1)
_THREADS = Accept(type=ValueType.INTEGER, minimum=-1)


def _integer(minimum: int, maximum: int | None = None) -> Accept:
    return Accept(type=ValueType.INTEGER, minimum=minimum, maximum=maximum)


def _number(minimum: float | None = None, maximum: float | None = None) -> Accept:
    return Accept(type=ValueType.NUMBER, minimum=minimum, maximum=maximum)


def _share() -> Accept:
    return Accept(type=ValueType.NUMBER, exclusive_minimum=0, maximum=1)


def _positive() -> Accept:
    return Accept(type=ValueType.NUMBER, exclusive_minimum=0)


def _one_of(*values: str) -> Accept:
    return Accept(type=ValueType.STRING, enum=sorted(values))


_XGBOOST: Mapping[str, Accept] = {
    "base_score": _number(),
    "booster": _one_of("dart", "gbtree"),
    "colsample_bylevel": _share(),
    "colsample_bynode": _share(),
    "colsample_bytree": _share(),
    "gamma": _number(0),
    "grow_policy": _one_of("depthwise", "lossguide"),
    "importance_type": _one_of("cover", "gain", "total_cover", "total_gain", "weight"),
    "interaction_constraints": Accept(type=ValueType.LIST),
    "learning_rate": _number(0, 1),
    "max_bin": _integer(2, 65536),
    "max_delta_step": _number(0),
    "max_depth": _integer(0, 64),
    "max_leaves": _integer(0),
    "min_child_weight": _number(0),
    "missing": _number(),
    "monotone_constraints": Accept(type=ValueType.STRING),
    "n_estimators": _integer(1),
    "n_jobs": _THREADS,
    "num_parallel_tree": _integer(1),
    "random_state": _SEED,
    "reg_alpha": _number(0),
    "reg_lambda": _number(0),
    "sampling_method": _one_of("uniform"),
    "scale_pos_weight": _positive(),
    "subsample": _share(),
    "tree_method": _one_of("approx", "exact", "hist"),
    "verbosity": _integer(0, 3),
}
_LIGHTGBM: Mapping[str, Accept] = {
    "boosting_type": _one_of("dart", "gbdt", "rf"),
    "colsample_bytree": _share(),
    "importance_type": _one_of("gain", "split"),
    "learning_rate": _positive(),
    "max_depth": _integer(-1),
    "min_child_samples": _integer(0),
    "min_child_weight": _number(0),
    "min_split_gain": _number(0),
    "n_estimators": _integer(1),
    "n_jobs": _THREADS,
    "num_leaves": _integer(2, 131072),
    "random_state": _SEED,
    "reg_alpha": _number(0),
    "reg_lambda": _number(0),
    "subsample": _share(),
    "subsample_for_bin": _integer(1),
    "subsample_freq": _integer(0),
}
_LIGHTGBM_MORE: Mapping[str, tuple[str, Accept]] = {
    "extra_trees": ("False", _BOOLEAN),
    "max_bin": ("255", _integer(2, 65535)),
    "min_data_in_bin": ("3", _integer(1)),
    "path_smooth": ("0.0", _number(0)),
    "verbose": ("-1", _integer(-1, 2)),
}
"""LightGBM hands on what its signature does not name: of that what is wanted often, with its default."""
_OBJECTIVES: Mapping[str, Accept] = {
    "LGBMClassifier": _one_of("binary", "cross_entropy", "multiclass", "multiclassova"),
    "LGBMRegressor": _one_of(
        *("fair", "gamma", "huber", "mape", "poisson", "quantile", "regression", "regression_l1", "tweedie")
    ),
    "XGBClassifier": _one_of("binary:logistic", "multi:softprob"),
    "XGBRegressor": _one_of(
        *("reg:absoluteerror", "reg:gamma", "reg:pseudohubererror", "reg:squarederror"),
        *("reg:squaredlogerror", "reg:tweedie", "count:poisson"),
    ),
}
_CLASS_WEIGHTS = [Accept(type=ValueType.OBJECT), _one_of("balanced")]


def booster(cls: type[BaseEstimator]) -> CatalogClass:
    """The catalog's entry of a class of ``BOOSTERS``."""
    name = cls.__name__
    return CatalogClass(
        name=name,
        module=cls.__module__.partition(".")[0],
        kinds=[Kind.CLASSIFIER if name.endswith("Classifier") else Kind.REGRESSOR],
        weights=True,
        early_stopping="XGBRF" not in name,
        parameters=sorted(_parameters(name, cls), key=lambda own: own.name),
    )


def _parameters(name: str, cls: type[BaseEstimator]) -> Iterator[Parameter]:
    for own in _arguments(cls):
        yield Parameter(name=own.name, default=repr(own.default), accepts=_accepts(name, own))
    if name.startswith("LGBM"):
        for more, (default, accept) in _LIGHTGBM_MORE.items():
            yield Parameter(name=more, default=default, accepts=[accept])


def _arguments(cls: type[BaseEstimator]) -> list[inspect.Parameter]:
    """Keyword arguments with those of the base class, to which classes hand on what they do not name themselves."""
    found: dict[str, inspect.Parameter] = {}
    for base in (xgboost.XGBModel, cls) if issubclass(cls, xgboost.XGBModel) else (cls,):
        found.update(inspect.signature(base).parameters)
    return [own for own in found.values() if own.kind is not inspect.Parameter.VAR_KEYWORD]


def _accepts(name: str, argument: inspect.Parameter) -> list[Accept]:
    if argument.name == "objective":
        accepted = [_OBJECTIVES[name.replace("XGBRF", "XGB")]]
    elif argument.name == "class_weight":
        accepted = _CLASS_WEIGHTS if name.endswith("Classifier") else []
    else:
        known = (_XGBOOST if name.startswith("XGB") else _LIGHTGBM).get(argument.name)
        accepted = [] if known is None else [known]
    return [*accepted, _NULL] if accepted and argument.default is None else list(accepted)
