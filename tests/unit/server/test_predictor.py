"""Labels made of probabilities are those of scikit-learn, for every classifier that they are made for."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from modelyard_server.models.scikit import SklearnPredictor

GENERATOR = np.random.default_rng(3)
ROWS = GENERATOR.normal(size=(400, 4)).round(1)
CLASSIFIERS = [
    BaggingClassifier(random_state=0),
    BernoulliNB(),
    CalibratedClassifierCV(GaussianNB()),
    ComplementNB(),
    DecisionTreeClassifier(max_depth=3),
    ExtraTreesClassifier(7, random_state=0),
    GaussianNB(),
    GradientBoostingClassifier(n_estimators=5),
    HistGradientBoostingClassifier(max_iter=5),
    KNeighborsClassifier(4),
    LinearDiscriminantAnalysis(),
    LogisticRegression(),
    MultinomialNB(),
    QuadraticDiscriminantAnalysis(),
    RandomForestClassifier(6, random_state=0),
    RidgeClassifier(),
    SVC(),
]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda model: type(model).__name__)
def test_labels_are_those_of_predict(classifier: object, classes: int) -> None:
    labels = np.array(["a", "b", "c"])[GENERATOR.integers(0, classes, len(ROWS))]
    model = Pipeline([("scale", MinMaxScaler()), ("none", "passthrough"), ("estimator", classifier)])
    model.fit(ROWS, labels)
    predictor = SklearnPredictor(model)
    asked = [ROWS, *np.split(ROWS[:10], 10)]
    for rows in asked:
        answer = predictor.predict(rows, probabilities=True)
        assert answer.predictions.tolist() == model.predict(rows).tolist()
        assert (answer.probabilities is not None) == hasattr(model, "predict_proba")
        if answer.probabilities is not None:
            assert np.array_equal(answer.probabilities, model.predict_proba(rows))


def test_rows_that_are_undecided_get_the_label_of_predict() -> None:
    model = LogisticRegression(fit_intercept=False).fit([[1.0], [-1.0]], ["a", "b"])
    answer = SklearnPredictor(model).predict(np.array([[0.0], [1e-18], [-1e-18]]), probabilities=True)
    assert answer.predictions.tolist() == model.predict(np.array([[0.0], [1e-18], [-1e-18]])).tolist()


def test_a_target_that_is_answered_as_a_column_becomes_one_value_a_row() -> None:
    model = PLSRegression(1).fit(ROWS, ROWS[:, :1])
    assert SklearnPredictor(model).predict(ROWS[:3], probabilities=False).predictions.shape == (3,)
