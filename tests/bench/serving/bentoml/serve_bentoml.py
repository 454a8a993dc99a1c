"""``serve_bentoml.py MODEL PORT``: a service of one worker, started by its command line; the model comes by the environment."""

import os
import sys
from pathlib import Path
from typing import Any

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Bench:
    """A model behind one API."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["BENCH_MODEL"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, rows: list[list[Any]]) -> list[Any]:
        """Predictions of the rows."""
        texts = isinstance(rows[0][0], str)
        found: list[Any] = self.model.predict(np.array(rows, dtype=object if texts else np.float64)).tolist()
        return found


if __name__ == "__main__":
    os.environ |= {"BENCH_MODEL": sys.argv[1], "BENTOML_DO_NOT_TRACK": "True"}
    os.chdir(Path(__file__).parent)
    program = Path(sys.executable).with_name("bentoml")
    name = f"{Path(__file__).stem}:Bench"
    os.execv(program, [str(program), "serve", name, "--host", "127.0.0.1", "--port", sys.argv[2]])  # noqa: S606
