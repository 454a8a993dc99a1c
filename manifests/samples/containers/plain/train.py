"""Own code for a TrainingJob with plain scikit-learn: reads rows, fits, and leaves a model that servers answer with.

It knows nothing of Modelyard but two directories and the names of a few files (docs/containers.md).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

LEAVES = int(os.environ.get("LEAVES", "31"))


def main() -> None:
    """Learns from the rows of the training part and says how the model does on the others."""
    read = Path(os.environ["MODELYARD_INPUT"])
    write = Path(os.environ["MODELYARD_OUTPUT"])
    job = json.loads((read / "job.json").read_text())
    names = [feature["name"] for feature in job["features"]]

    X, y = rows(read / job["train"], names, job)
    model = HistGradientBoostingRegressor(max_leaf_nodes=LEAVES, random_state=0).fit(X, y)

    X, y = rows(read / job["test"], names, job)
    predicted = model.predict(X)
    metrics = {
        "rmse": root_mean_squared_error(y, predicted),
        "mae": mean_absolute_error(y, predicted),
        "r2": r2_score(y, predicted),
    }
    print(f"{job['project']}/{job['job']}: {metrics}")

    folder = write / "model"
    folder.mkdir(exist_ok=True)
    skops.io.dump(model, folder / "model.skops")
    (folder / "signature.json").write_text(json.dumps({"inputs": names}))
    (write / "metrics.json").write_text(json.dumps(metrics))
    (write / "params.json").write_text(json.dumps({"max_leaf_nodes": LEAVES}))


def rows(file: Path, names: list[str], job: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Features as one matrix of numbers, a missing one as NaN, and the target: what servers will ask with."""
    table = pq.read_table(file)
    X = np.column_stack([table.column(name).cast("float64").to_numpy() for name in names])
    return X, table.column(job["target"]["name"]).to_numpy()


if __name__ == "__main__":
    main()
