"""What answers for a model: a matrix of rows in, values and probabilities out.

``Predictor`` is the seam at which a faster program for the same model may take scikit-learn's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.pipeline import Pipeline

from modelyard_server.models.unrolled import Transform, unrolled

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


@dataclass(frozen=True)
class Answer:
    """One prediction a row; probabilities, where they were asked for, in the order of the labels."""

    predictions: np.ndarray
    probabilities: np.ndarray | None = None


class Predictor(Protocol):
    """Answers rows. Must be safe to call from several threads at once."""

    @property
    def gives_probabilities(self) -> bool:
        """Whether it can say how sure it is."""
        ...

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        """Answers of shape (rows,), and (rows, labels) if asked for and known.

        Raises ValueError for rows that the model does not take, for example with missing values.
        """
        ...


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
