"""The model as scikit-learn runs it: for models without a compiled program. Imported where there is one to be loaded."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline

from modelyard_server.errors import BundleError
from modelyard_server.models.archive import ArchiveLimits, inspect_archive
from modelyard_server.models.integrity import check_integrity
from modelyard_server.models.memory import unlimited
from modelyard_server.models.predictor import Answer
from modelyard_server.models.probe import probe
from modelyard_server.models.unrolled import Transform, unrolled

_log = logging.getLogger(__name__)

_LABEL_OF_GREATEST = frozenset(
    {
        "BaggingClassifier",
        "BernoulliNB",
        "CalibratedClassifierCV",
        "ComplementNB",
        "DecisionTreeClassifier",
        "ExtraTreeClassifier",
        "ExtraTreesClassifier",
        "GaussianNB",
        "MultinomialNB",
        "RandomForestClassifier",
    }
)
"""Classifiers whose ``predict`` is the label of the greatest probability, so that one pass gives both."""
_LABEL_OF_CLEARLY_GREATEST = frozenset(
    {
        "GradientBoostingClassifier",
        "HistGradientBoostingClassifier",
        "LinearDiscriminantAnalysis",
        "LogisticRegression",
        "LogisticRegressionCV",
        "MLPClassifier",
        "QuadraticDiscriminantAnalysis",
    }
)
"""Classifiers that decide by scores of which the probabilities are a rising function: the same label but for rounding."""
_CLEAR = 1e-9


def load_scikit(
    content: bytes, limits: ArchiveLimits | None = None, *, probed: bool = False
) -> SklearnPredictor:
    """The model in a skops file, whose boosters are read elsewhere first unless it is ``probed``.

    Raises BundleError where it is not allowed or broken.
    """
    names = inspect_archive(content, limits)
    if not probed:
        probe(content, names, limits.room if limits else unlimited)
    try:
        model = skops.io.loads(content, trusted=sorted(names))
        check_integrity(model)
        return SklearnPredictor(model)
    except BundleError:
        raise
    except MemoryError as error:
        raise BundleError("the model does not fit into the server's memory") from error
    except Exception as error:
        raise BundleError(f"the model cannot be built: {type(error).__name__}: {error}") from error


class SklearnPredictor:
    """A fitted scikit-learn estimator or pipeline.

    Its steps are called one by one: see ``unrolled``. Rows are transformed once, also where both a label and its
    probabilities are wanted.
    """

    def __init__(self, model: Any) -> None:  # noqa: ANN401  scikit-learn has no types
        _run_in_one_thread(model)
        self._model = model
        self._final = model
        self._transform: Transform | None = None
        if type(model) is Pipeline:
            self._final = model.steps[-1][1]
            self._transform = unrolled(model[:-1]) if len(model.steps) > 1 else None
        name = type(self._final).__name__
        self._always = name in _LABEL_OF_GREATEST
        self._where_clear = name in _LABEL_OF_CLEARLY_GREATEST

    def settle(self, matrix: np.ndarray) -> None:
        """Asks the model as a whole from now on if its steps, one by one, answer these rows in another way."""
        if not self.agrees(matrix):
            _log.warning("the model's steps do not add up to the model; it is asked as a whole")
            self.as_a_whole()

    def agrees(self, matrix: np.ndarray) -> bool:
        """Whether the answers for these rows are those of the model when it is asked as a whole, bit for bit."""
        answer = self.predict(matrix, probabilities=True)
        if not np.array_equal(answer.predictions, _flat(self._model.predict(matrix))):
            return False
        return answer.probabilities is None or np.array_equal(
            answer.probabilities, self._model.predict_proba(matrix)
        )

    def as_a_whole(self) -> None:
        """From now on asks the model as a whole."""
        self._final, self._transform = self._model, None
        self._always = self._where_clear = False

    @property
    def gives_probabilities(self) -> bool:
        """Whether the estimator has ``predict_proba``."""
        return hasattr(self._final, "predict_proba")

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        """Answers of scikit-learn."""
        rows = matrix if self._transform is None else self._transform(matrix)
        if not probabilities or not self.gives_probabilities:
            return Answer(_flat(self._final.predict(rows)))
        likely = np.asarray(self._final.predict_proba(rows))
        if self._always or (self._where_clear and _clear(likely)):
            return Answer(self._final.classes_.take(np.argmax(likely, axis=1)), likely)
        return Answer(_flat(self._final.predict(rows)), likely)


def _clear(likely: np.ndarray) -> bool:
    """Whether in every row one probability is greater than the others by more than rounding."""
    two = np.partition(likely, -2, axis=1)[:, -2:]
    return bool(np.all(two[:, 1] - two[:, 0] > _CLEAR))


def _flat(predictions: Any) -> np.ndarray:  # noqa: ANN401
    # Some regressors, partial least squares for one, answer a single target as a column.
    return np.asarray(predictions).reshape(len(predictions))


def _run_in_one_thread(model: Any) -> None:  # noqa: ANN401
    """Starting threads costs more than one row takes, and a forest's sum then depends on who comes first."""
    parameters = model.get_params()
    threaded = [name for name in parameters if name == "n_jobs" or name.endswith("__n_jobs")]
    names = [name for name in threaded if parameters[name] not in (None, 1)]
    if names:
        model.set_params(**dict.fromkeys(names, 1))
