"""A real MLflow server on the loopback, with users and workspaces, set up by the platform's own provisioning."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from modelyard_api.contract.steps import MLflowEndpoint
from modelyard_provisioner.credentials import Credentials
from modelyard_provisioner.plan import Plan, Postgres, Store
from modelyard_provisioner.plan import Tracking as TrackingServer
from modelyard_provisioner.tracking import provision
from modelyard_runtime.credentials import Login
from tests.support import plain
from tests.support.ports import free_port
from tests.support.tracking import Tracking
from tests.support.waiting import until

_START_SECONDS = 240.0
_ADMINISTRATOR = Login("administrator", "the password of the administrator")
_OPERATOR = Login("modelyard-operator", "the password of the operator")


@dataclass
class MLflowServer:
    """One server; its databases and artifacts are files of one directory."""

    directory: Path
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        settings = self.directory / "auth.ini"
        settings.write_text(
            "[mlflow]\n"
            "default_permission = NO_PERMISSIONS\n"
            f"database_uri = sqlite:///{self.directory}/users.db\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            "grant_default_workspace_access = false\n"
            "auth_cache_ttl_seconds = 60\n"
        )
        environment = {
            **os.environ,
            "MLFLOW_AUTH_CONFIG_PATH": str(settings),
            "MLFLOW_AUTH_ADMIN_USERNAME": _ADMINISTRATOR.username,
            "MLFLOW_AUTH_ADMIN_PASSWORD": _ADMINISTRATOR.password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key of throw-away sessions",
            "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        arguments += ["--app-name", "basic-auth", "--enable-workspaces", "--serve-artifacts"]
        arguments += ["--backend-store-uri", f"sqlite:///{self.directory}/tracking.db"]
        arguments += ["--artifacts-destination", str(self.directory / "artifacts")]
        with (self.directory / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *arguments],
                env=environment,
                cwd=self.directory,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, _START_SECONDS, f"MLflow answering at {self.url}")

    def stop(self) -> None:
        """Ends the server; what is tracked stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def make_project(self, name: str) -> "MLflowProject":
        """A workspace and its user, with the rights that pods have."""
        project = MLflowProject(self, name, Login(f"{name}-pods", f"the password of {name}"))
        plan = Plan(
            projects=[name],
            postgres=Postgres(host=""),
            store=Store(endpoint_url="", bucket="", make_users=False),
            tracking=TrackingServer(url=self.url),
        )
        with tempfile.TemporaryDirectory(prefix="modelyard-credentials-") as directory:
            secrets = Path(directory)
            for key, login in (
                ("tracking/admin-{}", _ADMINISTRATOR),
                ("operator/mlflow-{}", _OPERATOR),
                (f"projects/{name}.mlflow-{{}}", project.login),
            ):
                _write(secrets / key.format("username"), login.username)
                _write(secrets / key.format("password"), login.password)
            provision(plan, Credentials(secrets))
        return project

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"MLflow ended:\n{(self.directory / 'log').read_text()[-3000:]}")
        try:
            return plain.get(f"{self.url}/health").is_success
        except httpx.HTTPError:
            return False


@dataclass(frozen=True)
class MLflowProject:
    """A workspace as its pods see it."""

    server: MLflowServer
    name: str
    login: Login

    def endpoint(self, url: str | None = None) -> MLflowEndpoint:
        """The workspace; another ``url`` leads through something in between."""
        return MLflowEndpoint(url=url or self.server.url, workspace=self.name)

    @contextmanager
    def tracking(self) -> Iterator[Tracking]:
        """For looking at what is there."""
        login = (self.login.username, self.login.password)
        with plain.client(self.server.url, auth=login, headers={"X-MLFLOW-WORKSPACE": self.name}) as client:
            yield Tracking(client)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="session")
def mlflow_server() -> Iterator[MLflowServer]:
    """One server for all tests of a run; tests separate themselves by workspace."""
    with tempfile.TemporaryDirectory(prefix="modelyard-mlflow-", ignore_cleanup_errors=True) as directory:
        server = MLflowServer(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()
