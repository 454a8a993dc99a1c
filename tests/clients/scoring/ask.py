"""Asks a model with the client that MLflow's deployments use for a scoring server, and prints what it got.

python ask.py PORT FILE: the file holds {"names": [...], "matrix": [[...], ...]}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def main() -> None:
    """One document of all answers."""
    port, file = sys.argv[1:]
    given = json.loads(Path(file).read_text())
    matrix = np.array(given["matrix"])
    client: Any = ScoringServerClient("127.0.0.1", int(port))  # type: ignore[no-untyped-call]
    client.wait_server_ready(timeout=30)
    columns = {name: matrix[:, place].tolist() for place, name in enumerate(given["names"])}
    records = pd.DataFrame(columns).to_dict(orient="records")
    forms: dict[str, Any] = {
        "a data frame": pd.DataFrame(columns),
        "a data frame with its columns in another order": pd.DataFrame(columns)[given["names"][::-1]],
        "a series of one row as a frame": pd.DataFrame(columns).iloc[[1]],
        "an array": matrix,
        "rows as lists": matrix.tolist(),
        "rows as objects": records,
        "a text": json.dumps({"dataframe_records": records}),
    }
    answers = {form: client.invoke(data).get_predictions("ndarray").tolist() for form, data in forms.items()}
    frame = client.invoke(forms["a data frame"], params={}).get_predictions()
    try:
        client.invoke(pd.DataFrame(columns).drop(columns=given["names"][0]))
        refused = ""
    except Exception as error:  # noqa: BLE001  it raises nothing narrower
        refused = str(error)
    sys.stdout.write(
        json.dumps(
            {"version": client.get_version(), "answers": answers, "rows": len(frame), "refused": refused}
        )
    )


if __name__ == "__main__":
    main()
