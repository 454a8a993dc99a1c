"""Fields are set on the command line by their path, and the same settings give the same name."""

from typing import Any

import pytest

from modelyard_cli.errors import CommandError
from modelyard_cli.settings import change, name_for
from tests.support.resources import training_job

JOB = training_job("forest", "demo")


def spec(*settings: str, document: dict[str, Any] = JOB) -> Any:  # noqa: ANN401  JSON
    return change(document, settings)["spec"]


def test_a_path_sets_one_field_and_leaves_the_others_and_the_original() -> None:
    found = spec("pipeline.estimator.params.n_estimators=300", "spec.target=MedInc")
    assert found["pipeline"]["estimator"] == {
        "class": "RandomForestRegressor",
        "params": {"n_estimators": 300},
    }
    assert found["target"] == "MedInc"
    assert JOB["spec"]["target"] == "MedHouseVal"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ('"5"', "5"),
        ("[1, 2]", [1, 2]),
        ("{folds: 5}", {"folds": 5}),
        ("null", None),
        ("", None),
    ],
)
def test_a_value_is_yaml(text: str, value: object) -> None:
    assert spec(f"evaluation.primary={text}")["evaluation"]["primary"] == value


def test_items_of_lists_are_set_and_added() -> None:
    empty: dict[str, Any] = {"kind": "TrainingJob", "metadata": {}, "spec": {}}
    found = spec(
        "pipeline.preprocess[0].name=numbers",
        "pipeline.preprocess[0].steps[0].class=PCA",
        "pipeline.preprocess[0].steps[1]={class: StandardScaler}",
        "features.exclude[0]=id",
        "features.exclude[0]=key",
        document=empty,
    )
    assert found == {
        "pipeline": {
            "preprocess": [{"name": "numbers", "steps": [{"class": "PCA"}, {"class": "StandardScaler"}]}]
        },
        "features": {"exclude": ["key"]},
    }


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("target", "is not PATH=VALUE"),
        ("=5", "is not PATH=VALUE"),
        ("a=[1", "the value is no YAML"),
        ("features[3]=a", "there is no item 3"),
        ("target.inside=a", "inside is no field of what is there"),
        ("a[x]=1", "is no path"),
    ],
)
def test_a_setting_that_leads_nowhere_is_refused(setting: str, words: str) -> None:
    with pytest.raises(CommandError, match=words.replace("[", r"\[")):
        spec(setting)


def test_a_name_follows_from_the_spec() -> None:
    first, again = (change(JOB, ["target=a"]) for _ in range(2))
    assert name_for(first) == name_for(again) != name_for(change(JOB, ["target=b"]))
    assert name_for(first).startswith("forest-")
    long = {**JOB, "metadata": {"name": "x" * 52}}
    assert len(name_for(long)) == 52
