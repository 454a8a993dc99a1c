"""Loads a downloaded model by scikit-learn and skops alone, and asks it for what the server answered to the same rows.

python ci/elsewhere.py build/ci/model
"""

import json
import platform
import sys
from pathlib import Path

import numpy as np
import sklearn
import skops.io


def seen(value: object) -> object:
    """A value of JSON as the model sees it."""
    if isinstance(value, str):
        return value
    return np.nan if value is None else float(value)


def main(folder: Path) -> int:
    """Returns 0 where the answers are the same: labels exactly, numbers but for what sums in another order give."""
    described = json.loads((folder / "MLmodel").read_text())
    example = json.loads((folder / "input_example.json").read_text())
    expected = json.loads((folder / "answers.json").read_text())["predictions"]
    # The types that this model needs, as its training found them; they are this repository's own.
    trusted = described["flavors"]["sklearn"]["skops_trusted_types"]
    model = skops.io.load(folder / "model.skops", trusted=trusted)

    # A model sees a plain array: floats alone, or objects where there is text, a missing value always as NaN.
    texts = any(column["type"] == "string" for column in json.loads(described["signature"]["inputs"]))
    rows = [[seen(value) for value in row] for row in example["data"]]
    answers = model.predict(np.array(rows, dtype=np.object_ if texts else np.float64)).tolist()

    numbers = all(isinstance(value, float) for value in expected)
    same = np.allclose(answers, expected, rtol=1e-9, atol=0) if numbers else answers == expected
    here = f"Python {platform.python_version()}, scikit-learn {sklearn.__version__}, NumPy {np.__version__}"
    print(f"{here}: {'the same answers' if same else f'{answers} instead of {expected}'}")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
