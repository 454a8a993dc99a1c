"""What is to be made, without secrets: one JSON document in one environment variable."""

from pydantic import BaseModel, ConfigDict

PLAN_VARIABLE = "MODELYARD_PROVISION"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Postgres(_Part):
    """The server with the working copies, and its databases."""

    host: str
    port: int = 5432
    sslmode: str = "prefer"
    maintenance_database: str = "postgres"
    """Database to connect to before any of ours exists."""
    private: bool = False
    """Whether the server is the platform's alone, so that its other databases are closed to projects too."""
    database: str = "modelyard"
    tracking_databases: list[str] = []
    """Databases that MLflow owns; empty when MLflow is somebody else's."""


class Store(_Part):
    """The S3 store with the records."""

    endpoint_url: str
    region: str = "us-east-1"
    bucket: str
    make_users: bool
    """Whether the store's own interface makes a credential for each project; else one is shared."""
    tracking_prefix: str = "mlflow"


class Tracking(_Part):
    """The MLflow server."""

    url: str


class Plan(_Part):
    """All that one run makes."""

    projects: list[str]
    postgres: Postgres
    store: Store
    tracking: Tracking
    timeout_seconds: int = 600
    """How long to wait for all services together."""
