"""Workspaces and users, on a real MLflow."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.mlflow import MLflowProject, MLflowServer


@pytest.fixture
def project(mlflow_server: MLflowServer, new_name: Callable[[], str]) -> MLflowProject:
    return mlflow_server.make_project(new_name())


def call(project: MLflowProject, path: str, body: dict[str, object], workspace: str | None = None) -> int:
    login = project.login
    headers = {"X-MLFLOW-WORKSPACE": workspace or project.name}
    url = f"{project.server.url}/api/2.0/mlflow/{path}"
    answer = httpx.post(
        url, json=body, auth=(login.username, login.password), headers=headers, timeout=30, trust_env=False
    )
    return answer.status_code


def test_a_project_tracks_in_its_own_workspace(project: MLflowProject) -> None:
    assert call(project, "experiments/create", {"name": "houses"}) == 200
    assert call(project, "registered-models/create", {"name": "houses"}) == 200


def test_a_project_gets_into_no_other_workspace(project: MLflowProject, new_name: Callable[[], str]) -> None:
    other = project.server.make_project(new_name())
    for workspace in (other.name, "default"):
        assert call(project, "experiments/create", {"name": "houses"}, workspace) == 403


def test_a_project_makes_neither_users_nor_rights(project: MLflowProject) -> None:
    assert call(project, "users/create", {"username": "friend", "password": "long enough it is"}) == 403
    assert call(project, "registered-models/create", {"name": "kept"}) == 200


def test_provisioning_again_changes_nothing_but_the_password(project: MLflowProject) -> None:
    assert call(project, "experiments/create", {"name": "kept"}) == 200
    again = project.server.make_project(project.name)
    assert call(again, "experiments/create", {"name": "kept"}) == 400
    assert call(again, "experiments/create", {"name": "another"}) == 200
