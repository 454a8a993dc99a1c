"""Waiting, credentials and policies of the provisioner."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from modelyard_provisioner.__main__ import main
from modelyard_provisioner.credentials import DIRECTORY_VARIABLE, Credentials, Login
from modelyard_provisioner.errors import ProvisioningError, UnavailableError
from modelyard_provisioner.patience import Patience
from modelyard_provisioner.plan import PLAN_VARIABLE, Plan
from modelyard_provisioner.store import project_policy


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def patience(self, deadline: float) -> Patience:
        return Patience(deadline, now=lambda: self.seconds, sleep=self.sleep)


class Service:
    """Something that answers from the n-th time on."""

    def __init__(self, failures: int) -> None:
        self.calls = 0
        self._failures = failures

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise UnavailableError("nobody listens")
        return "there"


def test_a_service_that_comes_late_is_waited_for() -> None:
    clock, service = Clock(), Service(5)
    assert clock.patience(60).until_available("it", service) == "there"
    assert service.calls == 6
    assert clock.seconds == 0.5 + 1 + 2 + 4 + 5


def test_a_service_that_never_comes_ends_the_wait_with_its_last_word() -> None:
    clock = Clock()
    with pytest.raises(ProvisioningError, match="it did not become available in time: nobody listens"):
        clock.patience(60).until_available("it", Service(1000))
    assert 50 < clock.seconds <= 60


def test_a_refusal_ends_the_wait_at_once() -> None:
    clock = Clock()

    def refuse() -> None:
        raise ProvisioningError("no")

    with pytest.raises(ProvisioningError, match=r"^no$"):
        clock.patience(60).until_available("it", refuse)
    assert clock.seconds == 0


def test_a_login_does_not_print_its_secret() -> None:
    assert "hunter2" not in repr(Login("me", "hunter2"))


def test_a_missing_or_empty_credential_is_named(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    with pytest.raises(ProvisioningError, match="postgres/username cannot be read"):
        credentials.postgres_administrator()
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/username").write_text("me")
    (tmp_path / "postgres/password").write_text("\n")
    with pytest.raises(ProvisioningError, match="postgres/password is empty"):
        credentials.postgres_administrator()


def test_a_policy_is_about_one_prefix_of_one_bucket() -> None:
    statements = project_policy("bucket", "demo")["Statement"]
    assert isinstance(statements, list)
    resources = {resource for s in statements if isinstance(s, dict) for resource in s["Resource"]}  # type: ignore[union-attr]
    assert resources == {"arn:aws:s3:::bucket", "arn:aws:s3:::bucket/demo/*"}
    assert "demo*" not in str(statements), "demo2/ would match"


def test_a_plan_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        Plan.model_validate({"projects": [], "surprise": 1})


def test_a_wrong_plan_ends_with_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path))
    monkeypatch.setenv(PLAN_VARIABLE, "{}")
    assert main() == 2
