"""What a server does with answered requests, and where on S3 it leaves them."""

from __future__ import annotations

from datetime import datetime

from modelyard_api.base import StatusModel

FEEDBACK_PATH = "/feedback"


class LogSettings(StatusModel):
    """The prediction log of one server process."""

    sample_percent: str = "100"
    """Percent of the requests that are logged, chosen by their ids: every pod chooses the same."""
    retention_days: int | None = None
    """Days after which files of predictions and of labels are removed; None keeps them."""
    file_rows: int = 50_000
    """Rows after which a file is written."""
    file_bytes: int = 8 * 1024 * 1024
    """Bytes, before compression, after which a file is written."""
    file_seconds: float = 60.0
    """Seconds after its first row at which a file is written."""
    waiting_files: int = 4
    """Files that wait for the store at most; what comes then is dropped and counted."""
    remembered_rows: int = 50_000
    """Latest rows whose answers are held for the labels that come for them."""


class DriftSettings(StatusModel):
    """How traffic is compared with the reference."""

    window_rows: int = 500
    """Rows that are judged at once."""
    false_alarm_percent: str = "1"
    """Percent of the windows without drift that are called drifted."""


class MonitoringSettings(StatusModel):
    """What is done with answers besides sending them."""

    log: LogSettings | None = None
    """None where nothing is logged, and no labels are taken."""
    drift: DriftSettings = DriftSettings()
    buffer_bytes: int = 16 * 1024 * 1024
    """Answers that wait to be looked at; those that come while it is full are dropped and counted."""


def predictions_prefix(project_prefix: str, promotion: str) -> str:
    """Where the log of a promotion is."""
    return f"{project_prefix}/predictions/{promotion}"


def feedback_prefix(project_prefix: str, promotion: str) -> str:
    """Where the labels are."""
    return f"{project_prefix}/feedback/{promotion}"


def monitoring_key(prefix: str, begun: datetime, writer: str, number: int) -> str:
    """Key of a file by the day and time (UTC) of its first row; no two processes have the same ``writer``."""
    return f"{prefix}/date={begun:%Y-%m-%d}/{begun:%H%M%S}-{writer}-{number:06d}.parquet"
