"""Which classes of imbalanced-learn even out the classes of the training part, and why others are refused."""

from __future__ import annotations

from imblearn import combine, over_sampling, under_sampling
from sklearn.base import BaseEstimator

_KEEPS_SAMPLERS = "keeps its samplers in the model, and the server has none: use spec.pipeline.resample"
REFUSED_SAMPLERS = {
    "BalancedBaggingClassifier": _KEEPS_SAMPLERS,
    "BalancedRandomForestClassifier": _KEEPS_SAMPLERS,
    "EasyEnsembleClassifier": _KEEPS_SAMPLERS,
    "FunctionSampler": "calls Python functions, which a resource cannot hold",
    "RUSBoostClassifier": _KEEPS_SAMPLERS,
    "ValueDifferenceMetric": "is a distance and no sampler",
}


def samplers() -> list[type[BaseEstimator]]:
    """All that the public modules of samplers export, by name."""
    found = {
        name: getattr(module, name)
        for module in (combine, over_sampling, under_sampling)
        for name in module.__all__
    }
    return [found[name] for name in sorted(found)]
