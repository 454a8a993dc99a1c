"""Which types a stored model may hold beyond those that skops itself trusts."""

from __future__ import annotations

_PACKAGES = ("numpy.", "scipy.", "sklearn.")
_NEVER = (
    "numpy.f2py.",
    "numpy.distutils.",
    "numpy.testing.",
    "scipy.weave.",
    "sklearn.datasets.",
    "sklearn.utils.",
)
_ALSO = frozenset(
    {
        # A dict whose keys are attributes too: votes and stacks keep their estimators in one.
        "sklearn.utils._bunch.Bunch",
        "collections.OrderedDict",
        "collections.defaultdict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "xgboost.sklearn.XGBRegressor",
    }
)


def loadable(name: str) -> bool:
    """Whether the trainer loads a type again from a file that it has just written."""
    return name in _ALSO or (name.startswith(_PACKAGES) and not name.startswith(_NEVER))
