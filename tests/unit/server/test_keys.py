"""Only who brings a key of the Secret is let through, and neither answers nor metrics nor logs give one away."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import httpx
import numpy as np
import pytest

from modelyard_api.contract.route import STATE_PATH, Route
from modelyard_server.admission import Admission, AdmissionLimits
from modelyard_server.keys import Keyring, Reason, RefusedError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.predictor import Answer
from modelyard_server.serving import Serving
from modelyard_server.state import ServerState
from modelyard_server.web.admin import make_admin
from modelyard_server.web.application import Application, Parts
from modelyard_server.web.guarding import OPEN, Guard, KeyMetrics, is_open
from tests.support.predictors import ROW, Constant, served

SHOP, OLD, PARTNER = "shop-7c1d44b0e2aa49d1", "shop-old-aa00b7e3c9d2", "partner-90ab12cd34ef56"
HIDDEN = (
    "/predict",
    "/invocations",
    "/v2/models/forest/infer",
    "/v2/models/forest",
    "/docs",
    "/openapi.json",
    "/x",
)


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A Secret as the kubelet mounts it: links into a directory that is replaced whole."""
    write(tmp_path, 1, {"shop": SHOP, "shop-before": OLD, "partner": PARTNER + "\n"})
    return tmp_path


def write(directory: Path, version: int, keys: dict[str, str]) -> None:
    data = directory / f"..version-{version}"
    data.mkdir()
    for name, value in keys.items():
        (data / name).write_text(value)
    fresh = directory / "..data.new"
    fresh.symlink_to(data.name)
    fresh.rename(directory / "..data")
    for each in directory.iterdir():
        if not each.name.startswith("..") and each.name not in keys:
            each.unlink()
    for name in keys:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(Path("..data") / name)


def bearer(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), (b"authorization", b"Bearer " + key.encode())]


def test_a_key_is_found_by_its_value_in_either_header(secret: Path) -> None:
    keyring = Keyring(secret)
    assert keyring.owner(bearer(SHOP)) == "shop"
    assert keyring.owner([(b"authorization", b"bearer  " + OLD.encode() + b" ")]) == "shop-before"
    assert keyring.owner([(b"x-api-key", PARTNER.encode())]) == "partner"
    assert keyring.names == ("partner", "shop", "shop-before")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], Reason.KEY_MISSING),
        ([(b"cookie", SHOP.encode())], Reason.KEY_MISSING),
        ([(b"authorization", b"Basic c2hvcDp4")], Reason.KEY_MALFORMED),
        ([(b"authorization", b"Bearer")], Reason.KEY_MALFORMED),
        ([(b"authorization", b"Bearer  ")], Reason.KEY_MALFORMED),
        ([(b"x-api-key", b"")], Reason.KEY_UNKNOWN),
        ([(b"x-api-key", SHOP[:-1].encode())], Reason.KEY_UNKNOWN),
        ([(b"x-api-key", SHOP.upper().encode())], Reason.KEY_UNKNOWN),
        ([(b"x-api-key", b"\xff" * 40)], Reason.KEY_UNKNOWN),
        ([(b"x-api-key", SHOP.encode()), (b"x-api-key", SHOP.encode())], Reason.KEY_AMBIGUOUS),
        (
            [(b"x-api-key", SHOP.encode()), (b"authorization", b"Bearer " + SHOP.encode())],
            Reason.KEY_AMBIGUOUS,
        ),
    ],
)
def test_what_is_no_key_is_refused_with_its_reason(
    secret: Path, headers: list[tuple[bytes, bytes]], reason: Reason
) -> None:
    with pytest.raises(RefusedError) as refused:
        Keyring(secret).owner(headers)
    assert refused.value.reason is reason


def test_keys_are_replaced_without_a_restart_while_both_are_valid(secret: Path) -> None:
    clock = Clock()
    keyring = Keyring(secret, clock)
    assert keyring.owner(bearer(SHOP)) == "shop"
    write(secret, 2, {"shop": "shop-new-5533ddee9911", "shop-before": SHOP, "partner": PARTNER})
    clock.now = 0.5
    assert keyring.owner(bearer(SHOP)) == "shop", "the files are looked at once a second"
    clock.now = 2.0
    assert keyring.owner(bearer("shop-new-5533ddee9911")) == "shop"
    assert keyring.owner(bearer(SHOP)) == "shop-before"
    with pytest.raises(RefusedError):
        keyring.owner(bearer(OLD))


@pytest.mark.parametrize("keys", [{}, {"short": "0123456789abcde"}, {"spaced": "one two three four five"}])
def test_a_secret_without_a_key_that_could_be_used_lets_nobody_in(
    tmp_path: Path, keys: dict[str, str]
) -> None:
    write(tmp_path, 1, keys)
    for value in ("", *keys.values()):
        with pytest.raises(RefusedError) as refused:
            Keyring(tmp_path).owner([(b"x-api-key", value.encode())])
        assert refused.value.reason is Reason.NO_KEYS


def test_a_secret_that_goes_lets_nobody_in_any_more(secret: Path) -> None:
    clock = Clock()
    keyring = Keyring(secret, clock)
    assert keyring.owner(bearer(SHOP)) == "shop"
    secret.rename(secret.with_name("gone"))
    clock.now = 2.0
    with pytest.raises(RefusedError) as refused:
        keyring.owner(bearer(SHOP))
    assert refused.value.reason is Reason.NO_KEYS


def test_logs_name_keys_and_never_their_values(secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    (secret / "short").write_text("hunter2-hunter2")
    with caplog.at_level(logging.INFO):
        Keyring(secret).owner(bearer(SHOP))
    assert "shop-before" in caplog.text
    assert "the key short is not used: it must have 16 to 512 characters" in caplog.text
    assert not any(value in caplog.text for value in (SHOP, OLD, PARTNER, "hunter2"))


def test_no_more_keys_are_used_than_can_be_compared_at_once(tmp_path: Path) -> None:
    keys = {f"client-{number:03d}": f"value-of-client-{number:03d}" for number in range(70)}
    write(tmp_path, 1, keys)
    keyring = Keyring(tmp_path)
    assert keyring.owner(bearer(keys["client-063"])) == "client-063"
    with pytest.raises(RefusedError):
        keyring.owner(bearer(keys["client-064"]))


def guarded(directory: Path) -> tuple[httpx.AsyncClient, ServerMetrics]:
    async def never() -> None:
        """Keeps no route."""

    model = served(Constant(Answer(np.zeros(1))))
    state, metrics = ServerState(), ServerMetrics()
    state.serving = Serving(Route(model_name="forest", champion=model.routed), model)
    parts = Parts(state, metrics, Admission(AdmissionLimits(), metrics), 1_000_000, never, make_admin(state))
    guard = Guard(Application(parts), Keyring(directory), KeyMetrics(metrics.registry))
    return httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://server"), metrics


async def test_predictions_and_descriptions_need_a_key_and_probes_and_scrapes_do_not(secret: Path) -> None:
    client, _ = guarded(secret)
    async with client:
        for path in HIDDEN:
            refused = await client.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (
                401,
                'Bearer realm="modelyard"',
            )
        for path in (*OPEN, "/v2/models/forest/ready", "/v2/models/forest/versions/7/ready"):
            assert is_open(path)
            assert (await client.get(path)).status_code == 200, path
        answer = await client.post("/predict", json=ROW, headers={"Authorization": f"Bearer {SHOP}"})
        assert answer.status_code == 200
        assert (await client.get("/openapi.json", headers={"X-API-Key": SHOP})).status_code == 200


async def test_a_refusal_is_written_in_the_dialect_and_gives_nothing_of_the_key_back(secret: Path) -> None:
    client, metrics = guarded(secret)
    wrong = {"Authorization": f"Bearer {SHOP}x"}
    async with client:
        typed = await client.post("/predict", json=ROW, headers=wrong)
        mlflow = await client.post("/invocations", json=ROW, headers=wrong)
        assert (await client.post("/predict", json=ROW, headers={"X-API-Key": SHOP})).status_code == 200
    assert typed.json() == {
        "error": "KeyUnknown: the key is none of this server's; it may have been replaced"
    }
    assert mlflow.json()["error_code"] == "UNAUTHENTICATED"
    assert 'error="invalid_token"' in typed.headers["www-authenticate"]
    told = typed.text + str(typed.headers) + mlflow.text + metrics.exposition().decode()
    assert SHOP not in told
    assert 'modelyard_server_key_requests_total{key="shop"} 1.0' in told
    assert 'modelyard_server_refused_total{reason="KeyUnknown"} 2.0' in told
    assert "modelyard_server_keys 3.0" in told


async def test_without_any_key_the_answer_says_that_no_key_would_help(tmp_path: Path) -> None:
    client, _ = guarded(tmp_path / "nothing")
    async with client:
        answer = await client.post("/predict", json=ROW, headers={"X-API-Key": SHOP})
        assert (await client.get(STATE_PATH)).status_code == 200
    assert answer.status_code == 403
    assert answer.json()["error"].startswith(
        "NoKeys: nobody may ask: the Secret that spec.serving.auth.keysSecret"
    )
    assert "www-authenticate" not in answer.headers


async def test_a_browser_on_another_origin_is_told_nothing(secret: Path) -> None:
    client, _ = guarded(secret)
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST", "X-API-Key": SHOP}
    async with client:
        answers = [
            await client.options("/predict", headers=asked),
            await client.post("/predict", json=ROW, headers=asked),
            await client.get("/metrics", headers=asked),
        ]
    assert [answer.status_code for answer in answers] == [405, 200, 200]
    assert not any(name.startswith("access-control") for answer in answers for name in answer.headers)


def test_files_that_cannot_be_read_let_nobody_in(secret: Path) -> None:
    if os.geteuid() == 0:
        (secret / "shop").unlink()
        (secret / "shop").mkdir()
        (secret / "partner").unlink()
        (secret / "shop-before").unlink()
    else:
        (secret / "..data" / "shop").chmod(0)
    with pytest.raises(RefusedError) as refused:
        Keyring(secret).owner(bearer(SHOP))
    assert refused.value.reason is Reason.NO_KEYS
