"""``serve_litserve.py MODEL PORT``: one worker, without batching, which a single row would only wait for."""

import sys
from typing import Any

import joblib
import litserve
import numpy as np


class Bench(litserve.LitAPI):  # type: ignore[misc]
    """A model behind one API."""

    def setup(self, device: str) -> None:
        """Loads the model."""
        del device
        self.model = joblib.load(sys.argv[1])

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        """Rows as the model takes them."""
        rows = request["rows"]
        return np.array(rows, dtype=object if isinstance(rows[0][0], str) else np.float64)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions."""
        found: np.ndarray = self.model.predict(x)
        return found

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        """As JSON."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Bench(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
