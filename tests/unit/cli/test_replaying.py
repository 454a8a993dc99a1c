"""The resource that makes a run again, from the words of a command line."""

from datetime import UTC, datetime

import pytest

from modelyard_api.v1alpha1.training_job import ReplaySpec, parse_training_job_spec
from modelyard_cli.__main__ import run as command
from modelyard_cli.secrets import SecretVariable
from modelyard_cli.views.replaying import new_replay
from tests.unit.cli.running import run

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_replay_names_its_run_and_the_secrets_of_its_container_alone() -> None:
    plain = new_replay(run("forest"), "", NOW)
    assert plain["metadata"]["name"] == "forest-replay-0102030405"
    assert plain["spec"] == {"replay": {"runId": run("forest").id}}
    secrets = [SecretVariable("HUB_TOKEN", "hub", "token"), SecretVariable("KEY_2", "my.keys", "ca.crt")]
    spec = parse_training_job_spec(new_replay(run("forest"), "again", NOW, secrets)["spec"])
    assert isinstance(spec, ReplaySpec)
    given = [(own.name, own.secret.name, own.secret.key) for own in spec.environment if own.secret]
    assert given == [("HUB_TOKEN", "hub", "token"), ("KEY_2", "my.keys", "ca.crt")]


@pytest.mark.parametrize(
    "words",
    ["HUB_TOKEN", "HUB_TOKEN=", "HUB_TOKEN=hub", "HUB_TOKEN=hub/", "HUB_TOKEN=hub/a/b", "1=hub/token"],
)
def test_a_secret_that_says_no_variable_secret_and_key_is_refused_before_anything_is_asked(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["replay", "forest", "--secret", words]) == 2
    assert f"{words} is not NAME=SECRET/KEY, as in HUB_TOKEN=hub/token" in capsys.readouterr().err
