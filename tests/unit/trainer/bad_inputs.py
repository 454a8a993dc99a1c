"""What users get wrong, as a table: a spec, rows, and what they must be told."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest

from modelyard_api.catalog import check_evaluation, check_pipeline
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_runtime.errors import StepError
from modelyard_trainer.making import make, material_of
from modelyard_trainer.pipeline import refuse
from tests.support.fitting import spec_of, version_of
from tests.unit.trainer.test_fitting import offers


@dataclass(frozen=True)
class Bad:
    """One thing that is wrong."""

    what: str
    spec: dict[str, Any]
    kind: FailureClass
    said: tuple[str, ...]
    """Parts of the message."""
    remedy: str
    """Part of the remedy."""
    columns: dict[str, object] = field(default_factory=dict)
    """Columns of the rows that are others than usual."""
    rows: int | None = None
    """How many rows there are; None for all."""


def assert_refused(bad: Bad) -> None:
    """Goes the way of a pod between reading and storing, which must end in words and not in a trace."""
    table = offers(**bad.columns).slice(0, bad.rows)
    with pytest.raises(StepError) as raised:
        _train(bad.spec, table)
    failure = raised.value.failure()
    assert failure.failure_class is bad.kind
    for part in bad.said:
        assert part in failure.message, failure.message
    assert "\n" not in failure.message
    assert bad.remedy in failure.remedy, failure.remedy
    assert failure.remedy


def _train(document: dict[str, Any], table: pa.Table) -> None:
    spec = spec_of(document)
    refuse(check_pipeline(spec.pipeline, spec.task, weights=spec.sample_weight_column is not None))
    refuse(check_evaluation(spec.evaluation, spec.task))
    make(spec, material_of(version_of(table), spec), 1)


def classes(estimator: str = "DecisionTreeClassifier", **changes: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """A classifier of ``kind`` by the numbers; ``params`` are the estimator's, ``pipeline`` is added to."""
    return _job("Classification", "kind", estimator, changes)


def numbers(estimator: str = "Ridge", **changes: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """The same for a regressor of ``price``."""
    return _job("Regression", "price", estimator, changes)


def _job(task: str, target: str, estimator: str, changes: dict[str, Any]) -> dict[str, Any]:
    component = {"class": estimator, "params": changes.pop("params", {})}
    pipeline = {"estimator": component, **changes.pop("pipeline", {})}
    features = {"include": ["size", "rooms"]}
    return {"task": task, "target": target, "features": features, "pipeline": pipeline, **changes}


def branch(step: str, columns: dict[str, Any], **params: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """``preprocess`` with one branch of one step."""
    steps = [{"class": step, "params": params}]
    return {"preprocess": [{"name": "part", "columns": columns, "steps": steps}]}
