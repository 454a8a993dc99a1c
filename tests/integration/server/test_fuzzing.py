"""A small share of `make fuzz`: what the server says of itself is what it does, and nothing makes it fail."""

from pathlib import Path

import httpx
import pytest

from tests.fuzz.running import Extent, fuzz
from tests.support.server_process import ServerProcess

_SMALL = Extent(examples=12, seed=7, phases=("examples", "coverage", "fuzzing"))


def test_requests_made_from_the_description_are_answered_as_it_says(
    titles_server: ServerProcess, tmp_path: Path
) -> None:
    found = fuzz(titles_server.url, tmp_path, _SMALL)
    assert found.complete, found.text
    assert found.failed == 0, found.text
    assert found.cases > 500
    predicting = [operation for operation in found.accepted if operation.startswith("POST")]
    assert len(predicting) == 4
    # Requests that are all refused would prove little.
    assert all(found.accepted[operation] >= 10 for operation in predicting), found.accepted
    assert titles_server.state().errors == 0


@pytest.mark.parametrize(
    "path", ["/v2", "/v2/health/ready", "/v2/models/iris", "/metrics", "/v2/models/iris/ready"]
)
def test_what_is_only_read_refuses_other_methods_and_says_which_it_takes(
    client: httpx.Client, path: str
) -> None:
    answer = client.post(path, json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert path in answer.json()["error"]
