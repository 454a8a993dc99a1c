"""Own code for a TrainingJob with mlflow.autolog: what MLflow notes of the fit goes to the run of the TrainingJob.

MLflow keeps its notes in a file of the container, which has no account of the server; at the end they are handed over.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow.parquet as pq
import skops.io
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import root_mean_squared_error


def main() -> None:
    """Fits under autolog, and leaves model, metrics and parameters."""
    read = Path(os.environ["MODELYARD_INPUT"])
    write = Path(os.environ["MODELYARD_OUTPUT"])
    job = json.loads((read / "job.json").read_text())
    names = [feature["name"] for feature in job["features"]]

    with tempfile.TemporaryDirectory() as notes:
        mlflow.set_tracking_uri(f"sqlite:///{notes}/mlflow.db")
        experiment = mlflow.create_experiment("own", artifact_location=f"file://{notes}/artifacts")
        mlflow.autolog(log_models=False, log_datasets=False, silent=True)
        with mlflow.start_run(experiment_id=experiment) as run:
            X, y = rows(read / job["train"], names, job)
            model = RandomForestRegressor(n_estimators=50, min_samples_leaf=5, random_state=0, n_jobs=-1)
            model.fit(X, y)
            X, y = rows(read / job["test"], names, job)
            mlflow.log_metric("rmse", root_mean_squared_error(y, model.predict(X)))
        noted = mlflow.get_run(run.info.run_id).data

    folder = write / "model"
    folder.mkdir(exist_ok=True)
    skops.io.dump(model, folder / "model.skops")
    (folder / "signature.json").write_text(json.dumps({"inputs": names}))
    (write / "metrics.json").write_text(json.dumps(noted.metrics))
    (write / "params.json").write_text(json.dumps(noted.params))


def rows(file: Path, names: list[str], job: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Features as one matrix of numbers, and the target."""
    table = pq.read_table(file)
    X = np.column_stack([table.column(name).cast("float64").to_numpy() for name in names])
    return X, table.column(job["target"]["name"]).to_numpy()


if __name__ == "__main__":
    main()
