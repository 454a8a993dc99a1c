"""Logs as one JSON object a line, and the last lines kept for the termination message."""

from __future__ import annotations

import json
import logging
from collections import deque
from datetime import UTC, datetime
from typing import TextIO

_TAIL_LINES = 20
_LINE_LIMIT = 400
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, whatever was passed as ``extra``, and the trace of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without line breaks."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: value for key, value in record.__dict__.items() if key not in _OWN})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class LogTail(logging.Handler):
    """Keeps the last lines as plain text, without traces: they are shown to the user."""

    def __init__(self, lines: int = _TAIL_LINES) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a record."""
        message = record.getMessage().replace("\n", " ")
        self._lines.append(f"{record.levelname} {message}"[:_LINE_LIMIT])

    def text(self) -> str:
        """The lines, the oldest first."""
        return "\n".join(self._lines)


def configure_logs(stream: TextIO, level: str = "INFO") -> LogTail:
    """Sends all logs and warnings to ``stream`` as JSON lines; returns the tail that is kept of them."""
    lines = logging.StreamHandler(stream)
    lines.setFormatter(JsonFormatter())
    tail = LogTail()
    root = logging.getLogger()
    root.handlers = [lines, tail]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    return tail
