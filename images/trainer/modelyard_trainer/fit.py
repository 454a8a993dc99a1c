"""Fitting, and what an estimator's complaint means to the author of the job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from sklearn.pipeline import Pipeline as FittablePipeline

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.v1alpha1.pipeline import Pipeline
from modelyard_api.v1alpha1.training_job import TrainingJobSpec
from modelyard_runtime.errors import DataError, StepError
from modelyard_trainer.data import TrainingData
from modelyard_trainer.functions import check_target
from modelyard_trainer.rows import Rows, fit_rows
from modelyard_trainer.threads import limited_to
from modelyard_trainer.trees import find_trees

_REMEDY = "Change the pipeline or its parameters; the pod's log has the whole trace"


class EstimatorError(StepError):
    """The estimator or a transformer refused the data or its parameters. Not tried again."""

    failure_class: ClassVar[FailureClass] = FailureClass.CODE


def fit(model: FittablePipeline, data: TrainingData, spec: TrainingJobSpec, threads: int) -> None:
    """Fits in place.

    Raises EstimatorError, or DataError where the rows are the reason: missing values, or a target that its transform
    is not defined for.
    """
    check_target(spec.pipeline.estimator, "spec.pipeline.estimator", data.train.y)
    with explained("fit", data, spec):
        fit_on(model, Rows(data.train.X, data.train.y, data.weights), spec.pipeline, threads)


def fit_on(model: FittablePipeline, rows: Rows, pipeline: Pipeline, threads: int) -> None:
    """Fits in place on these rows alone, the number of trees included. What a library raises is passed on."""
    with limited_to(threads):
        if pipeline.early_stopping is not None:
            find_trees(model, rows, pipeline, threads)
        fit_rows(model, rows, pipeline, threads)


@contextmanager
def explained(doing: str, data: TrainingData, spec: TrainingJobSpec) -> Iterator[None]:
    """Turns whatever a library raises into an EstimatorError, or a DataError where missing values are the reason."""
    try:
        yield
    except (StepError, MemoryError):
        raise
    except Exception as error:  # any library's own error is the author's to read
        raise _explanation(doing, error, data, spec) from error


def _explanation(doing: str, error: Exception, data: TrainingData, spec: TrainingJobSpec) -> StepError:
    text = _first_line(error)
    if data.missing and "NaN" in str(error):
        columns = ", ".join(f"{column} ({count})" for column, count in list(data.missing.items())[:10])
        return DataError(
            f"holds missing values, which the pipeline does not take: {text}",
            field=f"feature {columns}",
            remedy="Add SimpleImputer to the branch, or dropMissing to the variant of the Dataset",
        )
    return EstimatorError(
        text, field=f"{doing} of {spec.pipeline.estimator.class_}", remedy=_remedy(str(error))
    )


def _remedy(text: str) -> str:
    if "ense data" in text or "toarray" in text:
        return "The branch gives a sparse matrix: use an estimator that takes one, or add TruncatedSVD to the branch"
    if "could not convert string to float" in text:
        return "A text feature reaches a step that reads numbers: give it its own branch with an encoder"
    if "unknown categories" in text:
        return (
            "The test part has categories that training did not see: give the encoder handle_unknown: ignore"
        )
    return _REMEDY


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # scikit-learn says what is wrong first and then goes on with advice.
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
