"""Which Python value a JSON value stands for."""

import pytest

from modelyard_api.catalog import load_catalog
from modelyard_api.catalog.model import Parameter
from modelyard_api.catalog.values import to_python


def parameter(class_: str, name: str) -> Parameter:
    known = load_catalog().find(class_)
    assert known is not None
    found = known.parameter(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("class_", "name", "given", "meant"),
    [
        ("TfidfVectorizer", "ngram_range", [1, 2], (1, 2)),
        ("MLPClassifier", "hidden_layer_sizes", [10, 5], [10, 5]),
        ("RandomForestRegressor", "max_features", "1.0", 1.0),
        ("RandomForestRegressor", "max_features", "sqrt", "sqrt"),
        ("RandomForestRegressor", "max_features", 1, 1),
        ("Ridge", "alpha", "1e-3", 0.001),
        ("SimpleImputer", "missing_values", "1.5", "1.5"),
        ("RandomForestRegressor", "n_estimators", "10", "10"),
    ],
)
def test_a_value_becomes_what_the_class_means_by_it(
    class_: str, name: str, given: object, meant: object
) -> None:
    found = to_python(parameter(class_, name), given)
    assert found == meant
    assert type(found) is type(meant)
