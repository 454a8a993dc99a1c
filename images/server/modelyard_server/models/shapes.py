"""Checks that arrays of a model fit together where compiled code reads one as far as another says.

scikit-learn makes such arrays itself and therefore does not look at them again before it hands them on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    NearestNeighbors,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from modelyard_server.errors import BundleError

_TWO = 2


def check_shapes(part: object) -> None:
    """Raises BundleError if arrays of this part of a model contradict each other."""
    holds = _CHECKS.get(type(part))
    if holds is not None and not holds(part):
        raise BundleError(f"{type(part).__name__} of the model holds arrays that do not fit together")


def _sparse(matrix: Any) -> bool:  # noqa: ANN401  one of four classes
    try:
        matrix.check_format(full_check=True)
    except (ValueError, IndexError):
        return False
    return True


def _support_vectors(model: Any) -> bool:  # noqa: ANN401
    held = vars(model)
    if "_dual_coef_" not in held:
        return True  # a template that was never fitted
    classifies = isinstance(model, SVC | NuSVC)
    classes = len(model.classes_) if classifies else _TWO
    pairs = classes * (classes - 1) // 2
    count, width = model.support_vectors_.shape
    likely = (0, pairs) if classifies else (0, 1)
    return (
        classes >= _TWO
        and width == model.n_features_in_
        and len(model.support_) == count
        and held["_n_support"].shape == (classes,)
        and (not classifies or _adds_up(held["_n_support"], count))
        and all(_full(held[name], (classes - 1, count)) for name in ("_dual_coef_", "dual_coef_"))
        and all(np.shape(held[name]) == (pairs,) for name in ("_intercept_", "intercept_"))
        and len(held["_probA"]) in likely
        and len(held["_probB"]) == len(held["_probA"])
        and sparse.issparse(model.support_vectors_) == sparse.issparse(held["_dual_coef_"]) == held["_sparse"]
    )


def _adds_up(numbers: np.ndarray, count: int) -> bool:
    return bool((numbers >= 0).all()) and int(numbers.sum()) == count


def _full(coefficients: Any, shape: tuple[int, int]) -> bool:  # noqa: ANN401
    """Whether every one of them is there, for compiled code that reads them without an index too."""
    if coefficients.shape != shape:
        return False
    return not sparse.issparse(coefficients) or coefficients.data.size == shape[0] * shape[1]


def _spline(spline: Any) -> bool:  # noqa: ANN401
    degree, knots, coefficients = spline.k, np.asarray(spline.t), np.asarray(spline.c)
    needed = len(knots) - degree - 1
    return (
        type(degree) is int
        and 0 <= degree < needed
        and knots.ndim == 1
        and coefficients.ndim >= 1
        and len(coefficients) >= needed
        and bool((np.diff(knots) >= 0).all())
    )


def _neighbours(model: Any) -> bool:  # noqa: ANN401
    held = vars(model)
    if "_fit_X" not in held:
        return True
    rows, width = held["_fit_X"].shape
    targets = held.get("_y")
    if width != model.n_features_in_ or (targets is not None and len(targets) != rows):
        return False
    if not isinstance(model, KNeighborsClassifier | RadiusNeighborsClassifier) or np.ndim(targets) != 1:
        return True
    return rows == 0 or bool(((targets >= 0) & (targets < len(model.classes_))).all())


def _centres(model: Any) -> bool:  # noqa: ANN401
    centres = vars(model).get("cluster_centers_")
    return centres is None or (centres.ndim == _TWO and centres.shape[1] == model.n_features_in_)


_CHECKS: dict[type, Callable[[Any], bool]] = {
    BSpline: _spline,
    **dict.fromkeys((BisectingKMeans, KMeans, MiniBatchKMeans), _centres),
    **dict.fromkeys(
        (
            KNeighborsClassifier,
            KNeighborsRegressor,
            KNeighborsTransformer,
            NearestNeighbors,
            RadiusNeighborsClassifier,
            RadiusNeighborsRegressor,
            RadiusNeighborsTransformer,
        ),
        _neighbours,
    ),
    **dict.fromkeys((NuSVC, NuSVR, SVC, SVR), _support_vectors),
    **dict.fromkeys((sparse.csc_array, sparse.csc_matrix, sparse.csr_array, sparse.csr_matrix), _sparse),
}
