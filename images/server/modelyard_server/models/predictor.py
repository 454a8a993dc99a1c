"""What answers for a model: a matrix of rows in, values and probabilities out.

``Predictor`` is the seam at which a compiled program takes the place of the libraries that trained the model.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np


class Answer(NamedTuple):
    """One prediction a row; probabilities, where they were asked for, in the order of the labels."""

    predictions: np.ndarray
    probabilities: np.ndarray | None = None


class Predictor(Protocol):
    """Answers rows. Must be safe to call from several threads at once."""

    @property
    def gives_probabilities(self) -> bool:
        """Whether it can say how sure it is."""
        ...

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        """Answers of shape (rows,), and (rows, labels) if asked for and known.

        Raises ValueError for rows that the model does not take, for example with missing values.
        """
        ...
