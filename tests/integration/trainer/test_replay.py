"""Runs made again from what they recorded, against a real S3 store and a real MLflow server."""

import pytest

from modelyard_api import labels
from modelyard_api.contract.manifest import Manifest
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.tracking import MLflowClient
from modelyard_trainer.replay.original import read_original
from tests.integration.trainer.test_training import FOREST, houses
from tests.support.training import TrainerRun, publish

_UID = "44444444-0000-4000-8000-00000000000"


def test_a_run_is_made_again_bit_for_bit_from_mlflow_and_s3_alone_and_what_differs_is_told(
    trainer: TrainerRun,
) -> None:
    data = publish(trainer.store, houses())
    trained = trainer.run(trainer.step(FOREST, data)).trained

    # In an interpreter of its own, whose strings hash differently.
    again = trainer.run(trainer.replay_step(trained.run_id, uid=f"{_UID}1"), cold=True).replayed
    assert again.differences == []
    assert again.data == data
    assert again.metrics == trained.metrics
    assert "200 rows by their digest" in again.compared
    with trainer.mlflow.tracking() as tracking:
        (run,) = tracking.runs_of(f"{_UID}1")
        assert len(tracking.versions("houses")) == 1
    tags = {own["key"]: own["value"] for own in run["data"]["tags"]}
    assert run["info"]["status"] == "FINISHED"
    assert tags[labels.TAG_REPLAY_OF] == trained.run_id
    assert tags[labels.TAG_REPRODUCED] == "true"
    assert trainer.run(trainer.replay_step(trained.run_id, uid=f"{_UID}1")).replayed == again

    _change_a_part(trainer, data.uri)
    other = trainer.run(trainer.replay_step(trained.run_id, uid=f"{_UID}2", image="modelyard/trainer:other"))
    image, changed = other.replayed.differences
    assert image == "image: was modelyard/trainer:tests, is modelyard/trainer:other"
    assert changed.startswith("data: ")
    assert other.replayed.metrics == {}

    with MLflowClient(trainer.mlflow.endpoint(), trainer.mlflow.login) as client:
        _refuses(
            client, again.run_id, f"is itself a replay. Replay the run that it made again: {trained.run_id}"
        )
        _refuses(client, "0" * 32, "is not a run of this project")


def _refuses(client: MLflowClient, run_id: str, sentence: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        read_original(client, run_id)
    assert sentence in f"{caught.value.message}. {caught.value.remedy}"


def _change_a_part(trainer: TrainerRun, uri: str) -> None:
    store = trainer.store
    key = store.key(Manifest.model_validate_json(store.read(store.key(uri))).parts[0].uri)
    content = store.read(key)
    store.delete(key)
    store.create(key, content[:-1] + b"x")
