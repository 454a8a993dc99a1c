import json
from pathlib import Path
from typing import Any

from tests.bench.operator.audit import AuditLog


def entry(**changes: object) -> dict[str, Any]:
    return {
        "user": {"username": "someone"},
        "verb": "patch",
        "objectRef": {"resource": "trainingjobs", "name": "a", "subresource": "status"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:00.250000Z",
    } | changes


def test_a_request_is_named_with_its_subresource_and_timed_by_the_server(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    (tmp_path / "audit.log").write_text(json.dumps(entry()) + "\n")
    (request,) = log.follow()
    assert (request.user, request.resource, request.succeeded) == ("someone", "trainingjobs/status", True)
    assert request.answered - request.received == 0.25


def test_a_line_still_being_written_is_read_once_it_is_complete(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    line = json.dumps(entry()) + "\n"
    file = tmp_path / "audit.log"
    file.write_text(line + line[:40])
    assert len(log.follow()) == 1
    file.write_text(line + line)
    assert len(log.follow()) == 1
    assert len(log.requests) == 2


def test_a_refused_request_did_not_succeed(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    (tmp_path / "audit.log").write_text(json.dumps(entry(responseStatus={"code": 409})) + "\n")
    assert not log.follow()[0].succeeded
