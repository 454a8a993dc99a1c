"""A run that is to be made again, as MLflow holds it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from modelyard_api import labels
from modelyard_api.contract.training_record import RECORD_FILE, TrainingRecord
from modelyard_api.v1alpha1.training_job import TrainingJobSpec
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.answers import Answers, read_answers
from modelyard_trainer.evaluation.present import DIRECTORY
from modelyard_trainer.tracking.runs import Run, RunStatus, read_run

_FIELD = "spec.replay.runId"


@dataclass(frozen=True)
class Original:
    """The run and what it left."""

    run: Run
    record: TrainingRecord
    answers: Answers | None
    """None where own code made a model that nobody but it can ask."""

    def pipeline(self) -> TrainingJobSpec:
        """Its spec, if that trains a pipeline. Raises InvalidSpecError."""
        if isinstance(self.record.spec, TrainingJobSpec):
            return self.record.spec
        raise InvalidSpecError(
            "is a run of a container, which was not at work again",
            field=_FIELD,
            value=self.run.id,
            remedy="Check that operator and pods are of one version of Modelyard",
        )

    @property
    def model_digest(self) -> str:
        """Digest of its model bundle."""
        return self.run.tags[labels.TAG_MODEL_DIGEST]


def read_original(client: MLflowClient, run_id: str) -> Original:
    """Raises InvalidSpecError for a run that is not there, not ended well, or not one that can be made again."""
    run = read_run(client, run_id)
    if run is None:
        raise InvalidSpecError(
            "is not a run of this project",
            field=_FIELD,
            value=run_id,
            remedy="Take status.run.id of a TrainingJob, or the id on the run's page in MLflow",
        )
    if labels.RUN_TAG_UID not in run.tags:
        raise InvalidSpecError(
            "is a run that no TrainingJob made",
            field=_FIELD,
            value=run_id,
            remedy="Only runs of TrainingJobs record what they were made from",
        )
    if labels.TAG_REPLAY_OF in run.tags:
        raise InvalidSpecError(
            "is itself a replay",
            field=_FIELD,
            value=run_id,
            remedy=f"Replay the run that it made again: {run.tags[labels.TAG_REPLAY_OF]}",
        )
    if run.status != RunStatus.FINISHED or labels.TAG_MODEL_DIGEST not in run.tags:
        raise InvalidSpecError(
            f"is a run that is {run.status}, not {RunStatus.FINISHED}",
            field=_FIELD,
            value=run_id,
            remedy="Only a run that came to its end can be compared with",
        )
    record = client.download(run.artifact_uri, RECORD_FILE)
    answers = client.download(run.artifact_uri, f"{DIRECTORY}/{PREDICTIONS}")
    is_asked = labels.TAG_NOT_SERVABLE not in run.tags
    if record is None or (answers is None and is_asked):
        missing = RECORD_FILE if record is None else PREDICTIONS
        raise InvalidSpecError(
            f"is a run without the file {missing}",
            field=_FIELD,
            value=run_id,
            remedy="It was made by an earlier version, or its artifacts were removed: train it anew",
        )
    try:
        read = TrainingRecord.model_validate_json(record)
    except ValidationError as error:
        raise InvalidSpecError(
            f"is a run whose {RECORD_FILE} cannot be read: {error.error_count()} fields do not fit",
            field=_FIELD,
            value=run_id,
            remedy="It was made by another version: replay it with that one",
        ) from error
    return Original(run, read, None if answers is None else read_answers(answers, PREDICTIONS))
