"""What cannot be trained ends once, with exit code, field, value and remedy, and leaves no model behind."""

from typing import Any

import pyarrow as pa
import pytest

from modelyard_api.contract.exit_codes import ExitCode
from tests.integration.trainer.test_training import FOREST, houses
from tests.support.training import TrainerRun, publish

_NUMBERS = houses()


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        (
            {"target": "prize"},
            ExitCode.INVALID_SPEC,
            "spec.target = 'prize': is not a column of the data. Did you mean",
        ),
        (
            {"pipeline": {"estimator": {"class": "os.system"}}},
            ExitCode.INVALID_SPEC,
            "spec.pipeline.estimator.class = 'os.system': is not in the catalog",
        ),
        ({"target": "flat"}, ExitCode.DATA, "target flat: is constant in the training part: every row has 1"),
    ],
)
def test_a_job_that_cannot_be_trained_names_why_and_makes_no_run(
    trainer: TrainerRun, changes: dict[str, Any], status: ExitCode, said: str
) -> None:
    data = publish(trainer.store, _NUMBERS.append_column("flat", pa.array([1] * len(_NUMBERS))))
    ended = trainer.run(trainer.step({**FOREST, **changes}, data))
    assert ended.exit_status == status
    assert ended.complaint.startswith(said)
    with trainer.mlflow.tracking() as tracking:
        assert tracking.runs_of(trainer.uid) == []


def test_an_estimator_that_fails_leaves_a_failed_run_with_the_reason(trainer: TrainerRun) -> None:
    data = publish(
        trainer.store, _NUMBERS.append_column("below", pa.array([-1.0, -2.0] * (len(_NUMBERS) // 2)))
    )
    spec = {**FOREST, "target": "below", "pipeline": {"estimator": {"class": "GammaRegressor"}}}
    ended = trainer.run(trainer.step(spec, data))
    assert ended.exit_status == ExitCode.CODE
    assert ended.complaint.startswith("fit of GammaRegressor: ValueError: ")
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(trainer.uid)
        assert tracking.versions("houses") == []
    assert run["info"]["status"] == "FAILED"
    tags = {own["key"]: own["value"] for own in run["data"]["tags"]}
    assert tags["modelyard.dev/failure"].startswith("fit of GammaRegressor")
