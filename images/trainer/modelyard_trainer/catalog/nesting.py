"""Which parameters of a class are estimators themselves, of which kind, and what is passed on to them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.validation import has_fit_parameter

from modelyard_api.catalog.model import Accept, Kind, Parameter, ValueType
from modelyard_trainer.functions import INVERSES

EXCLUSIVE = {"TransformedTargetRegressor": [["func", "transformer"]]}
"""Parameters of which a class takes one at most."""
_ONE = frozenset({"estimator", "final_estimator", "regressor"})
_MANY = frozenset({"estimators"})
_PREFIT = "prefit"
"""Says that the estimators are fitted already, which those of a resource never are."""
_PASSES_WEIGHTS_ON = frozenset(
    {
        "StackingClassifier",
        "StackingRegressor",
        "TransformedTargetRegressor",
        "VotingClassifier",
        "VotingRegressor",
    }
)
_CHOOSE_COLUMNS = frozenset({"RFE", "RFECV"})
"""Are what their estimator is besides, which is nothing to rely on."""
_WEIGHS_ROWS = frozenset({"AdaBoostClassifier", "AdaBoostRegressor"})
_TARGET = "TransformedTargetRegressor"


def example(cls: type[BaseEstimator]) -> BaseEstimator:
    """An instance to look at, with some estimator where one is demanded."""
    wanted = inspect.signature(cls).parameters
    inner = LogisticRegression() if "Classifier" in cls.__name__ else Ridge()
    given = {
        name: [("one", inner)] if name in _MANY else inner
        for name in (_ONE | _MANY) & wanted.keys()
        if wanted[name].default is inspect.Parameter.empty
    }
    return cls(**given)


def kinds_of(instance: BaseEstimator) -> list[Kind]:
    """What an instance can stand for."""
    if type(instance).__name__ in _CHOOSE_COLUMNS:
        return [Kind.TRANSFORMER]
    found = []
    if is_classifier(instance):
        found.append(Kind.CLASSIFIER)
    if is_regressor(instance):
        found.append(Kind.REGRESSOR)
    if hasattr(instance, "transform"):
        found.append(Kind.TRANSFORMER)
    return found


def takes_weights(cls: type[BaseEstimator]) -> bool:
    """Whether ``fit`` takes weights of rows, or gives them to the estimators in the class."""
    return cls.__name__ in _PASSES_WEIGHTS_ON or has_fit_parameter(cls, "sample_weight")


def with_estimators(cls: type[BaseEstimator], parameters: list[Parameter]) -> list[Parameter]:
    """The parameters of a class, those for estimators with what may stand there."""
    if not {own.name for own in parameters} & (_ONE | _MANY):
        return parameters
    kinds: list[Kind] = [kind for kind in kinds_of(example(cls)) if kind is not Kind.TRANSFORMER]
    kinds = kinds or [Kind.REGRESSOR, Kind.CLASSIFIER]
    return list(_translated(cls.__name__, parameters, kinds))


def _translated(name: str, parameters: list[Parameter], kinds: list[Kind]) -> Iterator[Parameter]:
    weights = name in _WEIGHS_ROWS
    for own in parameters:
        accepts = [each for each in own.accepts if each.enum != [_PREFIT]]
        if own.name in _ONE:
            accepts = _or_default(own, Accept(type=ValueType.ESTIMATOR, kinds=kinds, weights=weights))
        elif own.name in _MANY:
            accepts = [Accept(type=ValueType.ESTIMATORS, kinds=kinds)]
        elif own.name == _PREFIT:
            accepts = []
        elif name == _TARGET and own.name == "transformer":
            accepts = _or_default(own, Accept(type=ValueType.ESTIMATOR, kinds=[Kind.TRANSFORMER]))
        elif name == _TARGET and own.name == "func":
            accepts = _or_default(own, Accept(type=ValueType.FUNCTION, enum=sorted(INVERSES)))
        elif name == _TARGET and own.name == "inverse_func":
            continue
        yield own.model_copy(update={"accepts": accepts})


def _or_default(parameter: Parameter, accept: Accept) -> list[Accept]:
    return [accept] if parameter.default is None else [accept, Accept(type=ValueType.NULL)]
