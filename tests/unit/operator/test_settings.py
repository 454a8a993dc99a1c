"""Settings come from the environment, and each of them from the chart."""

import pytest
from pydantic import ValidationError

from modelyard_operator.settings import Settings


def test_projects_are_names_with_commas_or_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_PROJECTS", "demo, housing")
    assert Settings().projects == ["demo", "housing"]
    monkeypatch.setenv("MODELYARD_PROJECTS", '["demo"]')
    assert Settings().projects == ["demo"]


def test_without_a_project_there_is_nothing_to_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_PROJECTS", "")
    with pytest.raises(ValidationError, match="at least 1"):
        Settings()


def test_a_part_of_a_group_may_be_set_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_PROJECTS", "demo")
    monkeypatch.setenv("MODELYARD_TRAINER__IMAGE", "example/trainer@sha256:1")
    monkeypatch.setenv("MODELYARD_TRAINER__RESOURCES", '{"limits": {"memory": "1Gi"}}')
    settings = Settings()
    assert settings.trainer.image == "example/trainer@sha256:1"
    assert settings.trainer.service_account == "modelyard-trainer"
    assert settings.trainer.resources.limits == {"memory": "1Gi"}


def test_a_number_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_PROJECTS", "demo")
    monkeypatch.setenv("MODELYARD_WORKERS", "many")
    with pytest.raises(ValidationError, match="workers"):
        Settings()
