"""``serve_kserve.py MODEL PORT``: what KServe's own scikit-learn server does, on the KServe SDK."""

import sys
from typing import Any

import joblib
import numpy as np
from kserve import Model, ModelServer


class Bench(Model):  # type: ignore[misc]
    """A model behind the V1 protocol."""

    def __init__(self, file: str) -> None:
        super().__init__("bench")
        self.model = joblib.load(file)
        self.ready = True

    async def predict(
        self, payload: dict[str, Any], headers: object = None, response_headers: object = None
    ) -> dict[str, Any]:
        """Predictions of the instances."""
        del headers, response_headers
        rows = payload["instances"]
        texts = isinstance(rows[0][0], str)
        found = self.model.predict(np.array(rows, dtype=object if texts else np.float64))
        return {"predictions": found.tolist()}


if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, workers=1).start([Bench(sys.argv[1])])
