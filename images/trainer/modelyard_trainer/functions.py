"""Functions that a target can be transformed by: a closed list, each with its inverse and where it is defined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard_api.catalog import load_catalog
from modelyard_api.catalog.components import nested
from modelyard_api.v1alpha1.pipeline import Component
from modelyard_runtime.errors import DataError


@dataclass(frozen=True)
class Invertible:
    """A function of NumPy and its inverse."""

    forward: np.ufunc
    inverse: np.ufunc
    above: float | None = None
    """Values must be greater than this; None where every number will do."""
    above_or_at: float | None = None
    """Values must not be less than this."""

    def defined_for(self, lowest: float) -> bool:
        """Whether the function takes every value from ``lowest`` upwards."""
        return (self.above is None or lowest > self.above) and (
            self.above_or_at is None or lowest >= self.above_or_at
        )


INVERSES: dict[str, Invertible] = {
    "arcsinh": Invertible(np.arcsinh, np.sinh),
    "log": Invertible(np.log, np.exp, above=0.0),
    "log1p": Invertible(np.log1p, np.expm1, above=-1.0),
    "log2": Invertible(np.log2, np.exp2, above=0.0),
    "sqrt": Invertible(np.sqrt, np.square, above_or_at=0.0),
}
"""By the names that a pipeline gives them."""


def check_target(component: Component, path: str, y: np.ndarray) -> None:
    """Raises DataError where an estimator transforms the target by a function that some of its values lack."""
    name = component.params.get("func")
    chosen = INVERSES.get(name) if isinstance(name, str) else None
    if chosen is not None:
        lowest = float(y.min())
        if not chosen.defined_for(lowest):
            bound = (
                f"above {chosen.above:g}"
                if chosen.above is not None
                else f"of {chosen.above_or_at:g} or more"
            )
            raise DataError(
                f"takes values {bound}, and the target goes down to {lowest:g} in the training part",
                field=f"{path}.params.func",
                value=str(name),
                remedy="Use another function, such as arcsinh, or filter the rows in a variant of the Dataset",
            )
        return
    known = load_catalog().find(component.class_)
    for parameter, inner in nested(component, known) if known is not None else ():
        check_target(inner, f"{path}.params.{parameter}", y)
