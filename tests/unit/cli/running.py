"""Runs as MLflow has them, for what is made of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from modelyard_cli.runs import Run

_START = datetime(2026, 1, 1, tzinfo=UTC)


def run(name: str, number: int = 1, **given: Any) -> Run:  # noqa: ANN401  parts of a run
    """A finished run of a regression on load 1 of v1."""
    parameters = {
        "task": "Regression",
        "target": "MedHouseVal",
        "dataset": "houses",
        "variant": "v1",
        "sequence": "1",
        "estimator.class": "Ridge",
        **given.pop("parameters", {}),
    }
    tags = {
        "modelyard.dev/training-job": name,
        "modelyard.dev/dataset-digest": "sha256:" + "a" * 64,
        "modelyard.dev/image": "trainer:1",
        **given.pop("tags", {}),
    }
    return Run(
        id=f"{number:032x}",
        name=name,
        status=given.pop("status", "FINISHED"),
        started=_START + timedelta(hours=number),
        parameters={key: value for key, value in parameters.items() if value is not None},
        tags=tags,
        metrics=given.pop("metrics", {"rmse": 0.5, "r2": 0.7}),
        **given,
    )
