"""What changed between two runs is found section by section, and its effect is told without saying too much."""

import json

import pytest

from modelyard_api.contract.bundle import Library
from modelyard_api.contract.training_record import TrainingRecord
from modelyard_api.v1alpha1.training_job import DatasetVersion, TrainingJobSpec
from modelyard_cli.runs import libraries_of
from modelyard_cli.views.difference import Difference, Facts, differ
from tests.support.resources import training_job
from tests.unit.cli.running import run
from tests.unit.cli.seeing import version

BASE = run("a")


def told(found: Difference) -> dict[str, list[tuple[str, str | None, str | None]]]:
    return {
        section.name: [(change.what, change.before, change.after) for change in section.changes]
        for section in found.sections
    }


def test_the_same_run_has_no_changes_and_the_same_metrics() -> None:
    found = differ(Facts(BASE), Facts(BASE))
    assert found.sections == ()
    assert {effect.verdict for effect in found.effects} == {"same"}
    assert found.remarks == ()


@pytest.mark.parametrize(
    ("parameters", "section", "change"),
    [
        ({"variant": "v2"}, "data", ("variant", "v1", "v2")),
        ({"rows.train": "10"}, "data", ("rows.train", None, "10")),
        ({"split.seed": "7"}, "split", ("split.seed", None, "7")),
        ({"target": "MedInc"}, "task", ("target", "MedHouseVal", "MedInc")),
        ({"features": "a, b"}, "task", ("features", None, "a, b")),
        ({"preprocess.x.0.class": "PCA"}, "preprocessing", ("preprocess.x.0.class", None, "PCA")),
        ({"estimator.class": "Lasso"}, "estimator", ("estimator.class", "Ridge", "Lasso")),
        ({"estimator.class": None}, "estimator", ("estimator.class", "Ridge", None)),
        ({"earlyStopping.rounds": "5"}, "estimator", ("earlyStopping.rounds", None, "5")),
        ({"container.image": "own:2"}, "own code", ("container.image", None, "own:2")),
        ({"environment.EPOCHS": "3"}, "own code", ("environment.EPOCHS", None, "3")),
        ({"tuning.trials": "60"}, "tuning", ("tuning.trials", None, "60")),
        ({"invented": "1"}, "parameters", ("invented", None, "1")),
    ],
)
def test_a_change_stands_in_its_section(
    parameters: dict[str, str], section: str, change: tuple[str, str | None, str | None]
) -> None:
    assert told(differ(Facts(BASE), Facts(run("b", parameters=parameters)))) == {section: [change]}


def test_data_differ_by_their_digest_alone_too() -> None:
    other = run("b", tags={"modelyard.dev/dataset-digest": "sha256:other"})
    found = differ(Facts(BASE), Facts(other))
    assert told(found)["data"] == [("digest", BASE.digest, "sha256:other")]
    assert found.remarks == (
        "They are judged on different rows, so a part of the effect may be that of the rows",
    )


def test_image_libraries_and_threads_are_compared_where_they_are_known() -> None:
    other = run("b", tags={"modelyard.dev/image": "trainer:2", "modelyard.dev/threads": "4"})
    first, second = {"numpy": "2.2", "skops": "0.16"}, {"numpy": "2.3", "scipy": "1.15", "skops": "0.16"}
    assert told(differ(Facts(BASE, first), Facts(other, second))) == {
        "libraries": [("numpy", "2.2", "2.3"), ("scipy", None, "1.15")],
        "image": [("image", "trainer:1", "trainer:2")],
        "threads": [("threads", None, "4")],
    }
    assert "libraries" not in told(differ(Facts(BASE), Facts(other, second)))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ({"rmse": 0.5}, {"rmse": 0.4}, "better"),
        ({"rmse": 0.4}, {"rmse": 0.5}, "worse"),
        ({"r2": 0.7}, {"r2": 0.8}, "better"),
        ({"r2": 0.8}, {"r2": 0.7}, "worse"),
        ({"rmse": 0.1 + 0.2}, {"rmse": 0.3}, "same"),
        ({"rmse": 0.0}, {"rmse": 0.0}, "same"),
        (
            {"rmse": 0.50, "rmse_low": 0.45, "rmse_high": 0.55},
            {"rmse": 0.48, "rmse_low": 0.43, "rmse_high": 0.53},
            "within noise",
        ),
        (
            {"rmse": 0.50, "rmse_low": 0.49, "rmse_high": 0.51},
            {"rmse": 0.40, "rmse_low": 0.39, "rmse_high": 0.41},
            "better",
        ),
        ({"rmse": 0.5, "rmse_low": 0.4, "rmse_high": 0.6}, {"rmse": 0.48}, "better"),
    ],
)
def test_an_effect_has_the_right_sign_and_owns_up_to_noise(
    before: dict[str, float], after: dict[str, float], verdict: str
) -> None:
    (effect,) = differ(Facts(run("a", metrics=before)), Facts(run("b", metrics=after))).effects
    assert effect.verdict == verdict


def test_the_metric_of_the_task_comes_first_and_what_stands_beside_it_does_not_count() -> None:
    metrics = {"mae": 1.0, "rmse": 2.0, "baseline_rmse": 3.0, "rmse_low": 1.0}
    found = differ(Facts(run("a", metrics=metrics)), Facts(run("b", metrics=metrics)))
    assert [effect.metric for effect in found.effects] == ["rmse", "mae"]


def test_several_causes_are_not_told_apart_and_unlike_targets_not_compared() -> None:
    other = run("b", parameters={"estimator.class": "Lasso"}, tags={"modelyard.dev/image": "trainer:2"})
    assert differ(Facts(BASE), Facts(other)).remarks == (
        "2 kinds of things changed (estimator, image): the effect is that of all of them together",
    )
    unlike = run("c", parameters={"target": "MedInc"})
    assert differ(Facts(BASE), Facts(unlike)).remarks == (
        "They predict different things: their metrics cannot be compared",
    )


def test_a_run_that_is_not_finished_is_pointed_out() -> None:
    assert differ(Facts(BASE), Facts(run("b", status="FAILED"))).remarks == (
        "b is FAILED, so it may lack metrics",
    )


def test_libraries_are_read_from_requirements() -> None:
    requirements = b"numpy==2.2\nscikit-learn==1.9.1\n"
    assert libraries_of(None, requirements) == {"numpy": "2.2", "scikit-learn": "1.9.1"}
    assert libraries_of(None, None) == {}


def test_all_installed_libraries_are_known_where_the_run_recorded_them() -> None:
    record = TrainingRecord(
        spec=TrainingJobSpec.model_validate(training_job("a", "demo")["spec"]),
        data=DatasetVersion.model_validate(version(1)),
        image="trainer:1",
        libraries=[Library(name="python", version="3.13"), Library(name="joblib", version="1.5")],
        threads=1,
    )
    text = json.dumps(record.to_wire()).encode()
    assert libraries_of(text, b"numpy==2.2") == {"python": "3.13", "joblib": "1.5"}
