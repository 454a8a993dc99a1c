"""For each project a workspace of MLflow, a user of its pods, and the operator's rights in it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from modelyard_provisioner.credentials import Credentials, Login
from modelyard_provisioner.errors import ProvisioningError, UnavailableError
from modelyard_provisioner.plan import Plan

_LOG = logging.getLogger(__name__)
_ALREADY = "RESOURCE_ALREADY_EXISTS"
_OPERATOR_ROLE = "admin"
"""Seeded by MLflow in every workspace: all rights there, none elsewhere."""
_PROJECT_ROLE = "modelyard-project"
_PROJECT_RIGHTS = (("workspace", "USE"), ("experiment", "EDIT"), ("registered_model", "EDIT"))
"""Pods write runs and versions into every experiment and model of their project; they delete nothing of others."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Problem(_Answer):
    error_code: str = ""
    message: str = ""


class _Right(_Answer):
    id: int
    resource_type: str
    permission: str


class _Role(_Answer):
    id: int
    name: str
    permissions: list[_Right] = []


class _Roles(_Answer):
    roles: list[_Role] = []


def provision(plan: Plan, credentials: Credentials) -> None:
    """Make workspaces, users and roles that are missing, and set the users' passwords.

    Raises:
        UnavailableError: MLflow does not answer.
        ProvisioningError: it refuses the administrator or a request.
    """
    administrator = credentials.tracking_administrator()
    with httpx.Client(
        base_url=plan.tracking.url,
        auth=(administrator.name, administrator.secret),
        timeout=30,
        trust_env=False,
    ) as http:
        server = _Server(http)
        operator = credentials.operator_tracking()
        server.ensure_user(operator)
        for project in plan.projects:
            server.ensure_workspace(project)
            login = credentials.project_tracking(project)
            server.ensure_user(login)
            server.ensure_member(login.name, server.ensure_project_role(project))
            server.ensure_member(operator.name, server.role(project, _OPERATOR_ROLE))
            _LOG.info("mlflow: project %s has workspace and user", project)


@dataclass(frozen=True)
class _Server:
    http: httpx.Client

    def ensure_workspace(self, name: str) -> None:
        body = {"name": name, "description": "Project of Modelyard"}
        self._call("POST", "/api/3.0/mlflow/workspaces", body, accept=(_ALREADY,))

    def ensure_user(self, login: Login) -> None:
        body = {"username": login.name, "password": login.secret}
        if self._call("POST", "/api/2.0/mlflow/users/create", body, accept=(_ALREADY,)) is None:
            self._call("PATCH", "/api/2.0/mlflow/users/update-password", body)

    def role(self, workspace: str, name: str) -> int:
        """Number of a role that is there."""
        role = self._find_role(workspace, name)
        if role is None:
            raise ProvisioningError(f"MLflow's workspace {workspace} has no role {name}")
        return role.id

    def ensure_project_role(self, workspace: str) -> int:
        """Number of the role of a project's pods, with exactly the rights that it should have at least."""
        body = {
            "workspace": workspace,
            "name": _PROJECT_ROLE,
            "description": "What the project's pods may do",
        }
        self._call("POST", "/api/3.0/mlflow/roles/create", body, accept=(_ALREADY,))
        number = self.role(workspace, _PROJECT_ROLE)
        for resource, permission in _PROJECT_RIGHTS:
            right: dict[str, str | int] = {
                "role_id": number,
                "resource_type": resource,
                "resource_pattern": "*",
                "permission": permission,
            }
            self._call("POST", "/api/3.0/mlflow/roles/permissions/add", right, accept=(_ALREADY,))
        return number

    def ensure_member(self, user: str, role: int) -> None:
        body: dict[str, str | int] = {"username": user, "role_id": role}
        self._call("POST", "/api/3.0/mlflow/roles/assign", body, accept=(_ALREADY,))

    def _find_role(self, workspace: str, name: str) -> _Role | None:
        answer = self._call("GET", f"/api/3.0/mlflow/roles/list?workspace={workspace}")
        try:
            roles = _Roles.model_validate_json(answer or "{}").roles
        except ValidationError as error:
            raise ProvisioningError(f"MLflow lists roles in an unknown form: {error}") from error
        return next((role for role in roles if role.name == name), None)

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, str | int] | None = None,
        accept: tuple[str, ...] = (),
    ) -> str | None:
        """The answer's text, or None for an error code that is as good."""
        try:
            response = self.http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise UnavailableError(f"{self.http.base_url}: {error}") from error
        if response.is_success:
            return response.text
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise UnavailableError(f"{method} {path}: {response.status_code}")
        problem = _problem(response)
        if problem.error_code in accept:
            return None
        text = problem.message or response.text
        raise ProvisioningError(f"MLflow refuses {method} {path}: {response.status_code} {text[:300]}")


def _problem(response: httpx.Response) -> _Problem:
    try:
        return _Problem.model_validate_json(response.text)
    except ValidationError:
        # The authentication layer answers in plain text.
        return _Problem()
