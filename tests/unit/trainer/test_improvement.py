"""What the improvement gate is told: by how much a candidate is better, and when there is no telling."""

from dataclasses import replace

import numpy as np
import pytest

from modelyard_api.contract.steps import AskedMetric
from modelyard_api.contract.training_record import TrainingRecord
from modelyard_api.v1alpha1.training_job import DatasetVersion, TrainingJobSpec
from modelyard_runtime.errors import DataError
from modelyard_trainer.evaluation.answers import Answers
from modelyard_trainer.evaluation.judged import Judged
from modelyard_trainer.improvement import changes, check_same_question

ROWS = 500
RNG = np.random.default_rng(5)
TRUTH = RNG.normal(size=ROWS)
ERROR = RNG.normal(0, 1, ROWS)
KEYS = np.arange(ROWS, dtype=np.uint64)
RMSE = [AskedMetric(metric="rmse", confidence="0.95")]


def answers(error: np.ndarray) -> Answers:
    return Answers(KEYS, Judged(TRUTH, TRUTH + error))


def test_a_lower_error_is_better_by_more_than_its_bound() -> None:
    found = changes(answers(0.8 * ERROR), answers(ERROR), RMSE)
    (change,) = found.changes
    assert found.rows == ROWS
    assert change.better_by == pytest.approx(change.champion - change.candidate)
    assert change.better_by > 0
    assert change.at_least is not None
    assert 0 < change.at_least < change.better_by


def test_a_higher_score_is_better_too() -> None:
    (change,) = changes(
        answers(0.8 * ERROR), answers(ERROR), [AskedMetric(metric="r2", confidence="0.95")]
    ).changes
    assert change.better_by == pytest.approx(change.candidate - change.champion)
    assert change.better_by > 0


def test_luck_is_no_improvement_and_the_same_model_is_better_by_nothing() -> None:
    (lucky,) = changes(answers(RNG.permutation(ERROR)), answers(ERROR), RMSE).changes
    assert lucky.at_least is not None
    assert lucky.at_least < 0
    (same,) = changes(answers(ERROR), answers(ERROR), RMSE).changes
    assert f"{same.better_by} {same.at_least}" == "0.0 0.0"


def test_more_confidence_lowers_the_bound() -> None:
    asked = [AskedMetric(metric="rmse", confidence=level) for level in ("0.80", "0.90", "0.95", "0.99")]
    bounds = [change.at_least for change in changes(answers(0.9 * ERROR), answers(ERROR), asked).changes]
    assert bounds == sorted(bounds, key=lambda bound: -(bound or 0))
    assert len(set(bounds)) == len(asked)


def test_the_same_rows_give_the_same_bounds() -> None:
    first, second = (changes(answers(0.9 * ERROR), answers(ERROR), RMSE) for _ in range(2))
    assert first == second


def test_few_common_rows_and_other_targets_of_a_row_are_refused() -> None:
    few = replace(answers(ERROR), rows=KEYS + np.uint64(ROWS - 10))
    with pytest.raises(DataError, match="both have 10 test rows, and 30 are needed"):
        changes(few, answers(ERROR), RMSE)
    moved = Answers(KEYS, Judged(TRUTH + 1, TRUTH))
    with pytest.raises(DataError, match="some differ in the target"):
        changes(moved, answers(ERROR), RMSE)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"datasetRef": {"name": "flats", "variant": "v1"}}, "the candidate's Dataset is flats"),
        ({"target": "rent"}, "the candidate's target is rent, the champion's is price"),
        ({"task": "Classification"}, "the candidate's task is Classification"),
    ],
)
def test_models_of_different_data_or_questions_are_refused(changed: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        check_same_question(record(**changed), record())
    check_same_question(record(datasetRef={"name": "houses", "variant": "v2"}), record())


def record(**changed: object) -> TrainingRecord:
    spec = {
        "datasetRef": {"name": "houses", "variant": "v1"},
        "task": "Regression",
        "target": "price",
        "pipeline": {"estimator": {"class": "LinearRegression"}},
        **changed,
    }
    return TrainingRecord(
        spec=TrainingJobSpec.model_validate(spec),
        data=DatasetVersion(variant="v1", sequence=1, digest="sha256:0", uri="s3://b/m"),
        image="trainer",
        libraries=[],
        threads=1,
    )
