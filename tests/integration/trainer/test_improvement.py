"""A candidate compared with the champion from what both runs left in a real MLflow and on a real S3 store."""

import numpy as np
import pyarrow as pa

from modelyard_api.contract.outcome import ImprovementOutcome
from modelyard_api.contract.steps import AskedMetric, ImprovementStep, Owner, TrainStep
from modelyard_api.v1alpha1.dataset import Split
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.improvement import improvement
from tests.integration.trainer.test_training import BARE, houses
from tests.support.training import TrainerRun, publish

LINEAR = {**BARE, "pipeline": {"estimator": {"class": "LinearRegression"}}}
_UID = "55555555-0000-4000-8000-00000000000"


def compared(trainer: TrainerRun, candidate: str, champion: str) -> ImprovementOutcome:
    step = ImprovementStep(
        owner=Owner(project=trainer.mlflow.name, name="housing", uid="u", generation=1),
        candidate_run=candidate,
        champion_run=champion,
        metrics=[AskedMetric(metric="rmse", confidence="0.95")],
        s3=trainer.s3.endpoint(trainer.mlflow.name),
        mlflow=trainer.mlflow.endpoint(),
    )
    with MLflowClient(trainer.mlflow.endpoint(), trainer.mlflow.login) as client:
        return improvement(step, client, trainer.store)


def test_a_better_model_of_more_rows_is_better_on_the_test_rows_that_both_have(trainer: TrainerRun) -> None:
    rows = houses(400)
    first = publish(trainer.store, rows.slice(0, 300))
    grown = publish(trainer.store, rows, sequence=2)
    forest = _run(trainer, 1, trainer.step(BARE, first))
    linear = _run(trainer, 2, trainer.step(LINEAR, grown))

    found = compared(trainer, linear, forest)
    assert found.refused == ""
    assert 30 <= found.rows < 90
    (change,) = found.changes
    assert change.better_by > 0
    assert change.at_least is not None
    assert 0 < change.at_least < change.better_by
    (back,) = compared(trainer, forest, linear).changes
    assert back.better_by == -change.better_by
    assert compared(trainer, linear, "0" * 32).refused == (
        f"the champion's run {'0' * 32} is not in MLflow any more"
    )


def test_a_champion_that_has_learned_from_the_candidates_test_rows_is_refused(trainer: TrainerRun) -> None:
    rows = houses(300)
    first = publish(trainer.store, rows)
    other = publish(trainer.store, rows, sequence=2, split=Split(seed=7))
    one = _run(trainer, 1, trainer.step(LINEAR, first))
    two = _run(trainer, 2, trainer.step(LINEAR, other))
    assert "the champion was trained on" in compared(trainer, two, one).refused
    assert "the split of the Dataset is not the same" in compared(trainer, two, one).refused


def test_a_target_that_was_corrected_since_is_refused(trainer: TrainerRun) -> None:
    rows = houses(300)
    dearer = rows.set_column(3, "price", pa.array(np.asarray(rows.column("price")) * 2))
    one = _run(trainer, 1, trainer.step(LINEAR, publish(trainer.store, rows)))
    two = _run(trainer, 2, trainer.step(LINEAR, publish(trainer.store, dearer, sequence=2)))
    assert "some differ in the target" in compared(trainer, two, one).refused


def _run(trainer: TrainerRun, number: int, step: TrainStep) -> str:
    """Id of the run of a TrainingJob of its own."""
    owner = step.owner.model_copy(update={"uid": f"{_UID}{number}"})
    return trainer.run(step.model_copy(update={"owner": owner})).trained.run_id
