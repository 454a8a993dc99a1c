"""``serve_mlflow.py MODEL PORT``: saves the model as MLflow does, then `mlflow models serve` with one worker."""

import os
import shutil
import sys
from pathlib import Path

import joblib
import mlflow

file = Path(sys.argv[1])
saved = file.parent / "mlflow"
shutil.rmtree(saved, ignore_errors=True)
mlflow.sklearn.save_model(joblib.load(file), saved, serialization_format="cloudpickle", pip_requirements=[])
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
program = Path(sys.executable).with_name("mlflow")
# It starts uvicorn by name, as it is found in an environment that is active.
os.environ["PATH"] = os.pathsep.join((str(program.parent), os.environ["PATH"]))
words = ["models", "serve", "-m", str(saved), "-h", "127.0.0.1", "-p", sys.argv[2]]
os.execv(program, [str(program), *words, "--workers", "1", "--env-manager", "local"])  # noqa: S606
