"""Decides which classes of the libraries a pipeline may name, and why the others are refused."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version

from sklearn.base import BaseEstimator
from sklearn.utils import all_estimators, get_tags

from modelyard_api.catalog.model import Catalog, CatalogClass, Kind, Parameter
from modelyard_trainer.catalog.boosters import BOOSTERS, REFUSED_BOOSTERS, booster
from modelyard_trainer.catalog.constraints import parameters_of
from modelyard_trainer.catalog.nesting import EXCLUSIVE, example, kinds_of, takes_weights, with_estimators
from modelyard_trainer.catalog.samplers import REFUSED_SAMPLERS, samplers

_REFUSED = {
    "Birch": "cannot be stored without pickle",
    "ClassifierChain": "predicts several targets at once",
    "ColumnTransformer": "is what spec.pipeline.preprocess stands for",
    "FeatureUnion": "is what branches of spec.pipeline.preprocess stand for",
    "FrozenEstimator": "holds an estimator that was fitted elsewhere",
    "FunctionTransformer": "calls Python functions, which a resource cannot hold",
    "IterativeImputer": "is experimental in scikit-learn",
    "GridSearchCV": "searches parameters, and a pipeline names them",
    "HalvingGridSearchCV": "searches parameters, and a pipeline names them",
    "HalvingRandomSearchCV": "searches parameters, and a pipeline names them",
    "KernelCenterer": "takes a matrix of kernel values instead of features",
    "MultiOutputClassifier": "predicts several targets at once",
    "MultiOutputRegressor": "predicts several targets at once",
    "Pipeline": "is what the steps of a branch stand for",
    "RandomizedSearchCV": "searches parameters, and a pipeline names them",
    "RegressorChain": "predicts several targets at once",
    "SelfTrainingClassifier": "learns from rows without a target, which no Dataset has in training",
    "TunedThresholdClassifierCV": "keeps a function that is not loaded from a file",
}


def make_catalog() -> Catalog:
    """The catalog of the installed libraries."""
    classes: list[CatalogClass] = []
    refused: dict[str, str] = {}
    for name, cls in all_estimators():
        parameters = [] if name in _REFUSED else with_estimators(cls, parameters_of(cls))
        reason = _REFUSED.get(name) or _refusal(cls, parameters)
        if reason is not None:
            refused[name] = reason
            continue
        classes.append(
            CatalogClass(
                name=name,
                module=_public_module(cls),
                kinds=kinds_of(example(cls)),
                input="text" if _reads_text(cls) else "table",
                weights=takes_weights(cls),
                exclusive=EXCLUSIVE.get(name, []),
                parameters=parameters,
            )
        )
    libraries = {
        name: version(name) for name in ("imbalanced-learn", "lightgbm", "scikit-learn", "xgboost-cpu")
    }
    classes += [booster(cls) for cls in BOOSTERS]
    classes += [
        CatalogClass(
            name=cls.__name__, module=_public_module(cls), kinds=[Kind.SAMPLER], parameters=parameters_of(cls)
        )
        for cls in samplers()
    ]
    return Catalog(
        libraries=libraries, classes=classes, refused={**refused, **REFUSED_BOOSTERS, **REFUSED_SAMPLERS}
    )


def _refusal(cls: type[BaseEstimator], parameters: list[Parameter]) -> str | None:
    demanded = _demanded(parameters)
    if demanded:
        return f"demands {', '.join(demanded)}, which a resource cannot hold"
    if _public_module(cls) == "":
        return "is not exported by a public module"
    instance = example(cls)
    if not kinds_of(instance):
        return "is neither a transformer of new rows, nor a regressor, nor a classifier"
    tags = get_tags(instance)
    if not tags.input_tags.two_d_array and not _reads_text(cls):
        return "does not take a table"
    if not tags.target_tags.single_output:
        return "predicts several targets at once"
    return None


def _demanded(parameters: list[Parameter]) -> list[str]:
    return [
        own.name for own in parameters if own.default is None and not any(each.kinds for each in own.accepts)
    ]


def _reads_text(cls: type[BaseEstimator]) -> bool:
    tags = get_tags(example(cls)).input_tags
    return bool(tags.string and not tags.two_d_array)


def _public_module(cls: type) -> str:
    """The shortest public package that exports the class, or nothing."""
    parts = cls.__module__.split(".")
    for length in range(2, len(parts) + 1):
        path = ".".join(parts[:length])
        if any(part.startswith("_") for part in parts[:length]):
            return ""
        module = importlib.import_module(path)
        if getattr(module, cls.__name__, None) is cls and not inspect.isabstract(cls):
            return path
    return ""
