"""Secrets are files, one folder a holder; nothing here ever prints one."""

from dataclasses import dataclass, field
from pathlib import Path

from modelyard_provisioner.errors import ProvisioningError

DIRECTORY_VARIABLE = "MODELYARD_CREDENTIALS_DIRECTORY"


@dataclass(frozen=True)
class Login:
    """A name and a secret."""

    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Credentials:
    """Folder with ``postgres/``, ``store/``, ``tracking/``, ``operator/`` and ``projects/``."""

    directory: Path

    def postgres_administrator(self) -> Login:
        return self._login("postgres/username", "postgres/password")

    def store_administrator(self) -> Login:
        return self._login("store/access-key", "store/secret-key")

    def tracking_administrator(self) -> Login:
        return self._login("tracking/admin-username", "tracking/admin-password")

    def tracking_database(self) -> Login:
        return self._login("tracking/database-username", "tracking/database-password")

    def tracking_store(self) -> Login:
        return self._login("tracking/s3-access-key", "tracking/s3-secret-key")

    def operator_tracking(self) -> Login:
        return self._login("operator/mlflow-username", "operator/mlflow-password")

    def project_postgres(self, project: str) -> Login:
        return self._login(f"projects/{project}.postgres-username", f"projects/{project}.postgres-password")

    def project_store(self, project: str) -> Login:
        return self._login(f"projects/{project}.s3-access-key", f"projects/{project}.s3-secret-key")

    def project_tracking(self, project: str) -> Login:
        return self._login(f"projects/{project}.mlflow-username", f"projects/{project}.mlflow-password")

    def _login(self, name: str, secret: str) -> Login:
        return Login(self._read(name), self._read(secret))

    def _read(self, name: str) -> str:
        path = self.directory / name
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ProvisioningError(f"the credential {name} cannot be read: {error.strerror}") from error
        if not text:
            raise ProvisioningError(f"the credential {name} is empty")
        return text
