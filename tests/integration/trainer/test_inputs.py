"""Many jobs that are applied together name the same new data to MLflow at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

from modelyard_api.contract.steps import Owner
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.tracking.runs import DatasetInput, Runs
from tests.support.training import TrainerRun

_RUNS = 4
_VERSIONS = 12


def test_runs_that_name_new_data_at_the_same_moment_all_have_it(trainer: TrainerRun) -> None:
    start = Barrier(_RUNS)

    def work(number: int) -> str:
        with MLflowClient(trainer.mlflow.endpoint(), trainer.mlflow.login) as client:
            runs = Runs(client, "data")
            owner = Owner(project="data", name=f"job-{number}", uid=f"{trainer.uid}-{number}", generation=1)
            run = runs.begin(owner, datetime.now(tz=UTC))
            for version in range(_VERSIONS):
                data = DatasetInput("houses", f"digest-{version}", "s3://a/b", {}, 1)
                start.wait(30)
                runs.log_input(run.id, data)
            return run.id

    with ThreadPoolExecutor(_RUNS) as pool:
        ids = list(pool.map(work, range(_RUNS)))
    with trainer.mlflow.tracking() as tracking:
        for run_id in ids:
            found = tracking.client.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id}).json()
            assert len(found["run"]["inputs"]["dataset_inputs"]) == _VERSIONS
