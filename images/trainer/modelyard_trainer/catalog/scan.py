"""Decides which classes of scikit-learn a pipeline may name, and why the others are refused."""

from __future__ import annotations

import importlib
import inspect

import sklearn
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils import all_estimators, get_tags

from modelyard_api.catalog.model import Catalog, CatalogClass, Kind, Parameter
from modelyard_trainer.catalog.constraints import parameters_of

_REFUSED = {
    "Birch": "cannot be stored without pickle",
    "ColumnTransformer": "is what spec.pipeline.preprocess stands for",
    "FunctionTransformer": "calls Python functions, which a resource cannot hold",
    "IterativeImputer": "is experimental in scikit-learn",
    "KernelCenterer": "takes a matrix of kernel values instead of features",
    "Pipeline": "is what the steps of a branch stand for",
}
_COMPOSED = frozenset({"estimator", "estimators", "regressor", "transformer_list", "base_estimator"})
_WITH_USABLE_DEFAULT = frozenset(
    {"AdaBoostClassifier", "AdaBoostRegressor", "BaggingClassifier", "BaggingRegressor"}
)


def make_catalog() -> Catalog:
    """The catalog of the installed scikit-learn."""
    classes: list[CatalogClass] = []
    refused: dict[str, str] = {}
    for name, cls in all_estimators():
        parameters = parameters_of(cls)
        reason = _REFUSED.get(name) or _refusal(name, cls, parameters)
        if reason is not None:
            refused[name] = reason
            continue
        classes.append(
            CatalogClass(
                name=name,
                module=_public_module(cls),
                kinds=_kinds(cls()),
                input="text" if _reads_text(cls) else "table",
                parameters=parameters,
            )
        )
    return Catalog(libraries={"scikit-learn": sklearn.__version__}, classes=classes, refused=refused)


def _refusal(name: str, cls: type[BaseEstimator], parameters: list[Parameter]) -> str | None:
    if name not in _WITH_USABLE_DEFAULT and _COMPOSED & {own.name for own in parameters}:
        return "is made of other estimators, which a pipeline cannot hold yet"
    demanded = _demanded(parameters)
    if demanded:
        return f"demands {', '.join(demanded)}, which a resource cannot hold"
    if _public_module(cls) == "":
        return "is not exported by a public module"
    instance = cls()
    if not _kinds(instance):
        return "is neither a transformer of new rows, nor a regressor, nor a classifier"
    tags = get_tags(instance)
    if not tags.input_tags.two_d_array and not _reads_text(cls):
        return "does not take a table"
    if not tags.target_tags.single_output:
        return "predicts several targets at once"
    return None


def _demanded(parameters: list[Parameter]) -> list[str]:
    return [own.name for own in parameters if own.default is None]


def _kinds(instance: BaseEstimator) -> list[Kind]:
    found = []
    if is_classifier(instance):
        found.append(Kind.CLASSIFIER)
    if is_regressor(instance):
        found.append(Kind.REGRESSOR)
    if hasattr(instance, "transform"):
        found.append(Kind.TRANSFORMER)
    return found


def _reads_text(cls: type[BaseEstimator]) -> bool:
    tags = get_tags(cls()).input_tags
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
