"""Secrets as files: never in an environment, a step or a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelyard_api.contract.steps import (
    CREDENTIALS_DIRECTORY,
    CREDENTIALS_VARIABLE,
    MLFLOW_PASSWORD,
    MLFLOW_USERNAME,
    POSTGRES_PASSWORD,
    POSTGRES_USERNAME,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
)
from modelyard_runtime.errors import PlatformError


@dataclass(frozen=True)
class Login:
    """A name and its secret; the secret is not part of its repr."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Credentials:
    """The mounted secret files. Each is read when it is asked for, so a pod needs only those it uses."""

    directory: Path

    @classmethod
    def mounted(cls, environment: Mapping[str, str]) -> Credentials:
        """Where the pod mounts them, unless the environment names another directory."""
        return cls(Path(environment.get(CREDENTIALS_VARIABLE, CREDENTIALS_DIRECTORY)))

    def postgres(self) -> Login:
        """The project's role."""
        return Login(self._read(POSTGRES_USERNAME), self._read(POSTGRES_PASSWORD))

    def s3(self) -> Login:
        """Access key and secret key."""
        return Login(self._read(S3_ACCESS_KEY), self._read(S3_SECRET_KEY))

    def mlflow(self) -> Login:
        """The project's user."""
        return Login(self._read(MLFLOW_USERNAME), self._read(MLFLOW_PASSWORD))

    def _read(self, name: str) -> str:
        path = self.directory / name
        try:
            return path.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise PlatformError(
                f"the credential cannot be read ({error.strerror})",
                field=str(path),
                remedy="check that the project's Secret has this key and that the pod mounts it",
            ) from error
