"""What the soak counts as a failure, against a server that misbehaves as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.soak.asking import Load, Pool, Removals, Tally
from tests.soak.report import Outcome

Answering = Callable[[int, asyncio.StreamWriter], Awaitable[None]]
BODIES = [b"one", b"two"]


def answer(version: str = "1", status: int = 200, extra: str = "") -> bytes:
    body = f"of {version}"
    head = (
        f"HTTP/1.1 {status} Word\r\nContent-Length: {len(body)}\r\nX-Modelyard-Model-Version: {version}\r\n"
    )
    return f"{head}{extra}\r\n{body}".encode()


@asynccontextmanager
async def serving(respond: Answering) -> AsyncIterator[int]:
    """Calls `respond` with the number of the request, over all connections."""
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                count += 1
                await respond(count, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def says(*answers: bytes) -> Answering:
    """These answers in turn, the last of them for ever; an empty one ends the connection."""

    async def respond(number: int, writer: asyncio.StreamWriter) -> None:
        said = answers[min(number, len(answers)) - 1]
        if said:
            writer.write(said)
            await writer.drain()
        else:
            writer.close()

    return respond


async def asked(
    respond: Answering, count: int = 6, removals: Removals | None = None, rate: float = 1000
) -> Tally:
    tally = Tally()
    async with serving(respond) as port:
        load = Load("127.0.0.1", port, "/v2/models/soak/infer", BODIES, rate=rate, connections=1)
        await Pool(load, removals or Removals(), tally).ask(lambda sent: sent < count)
    return tally


async def test_every_answer_is_counted_with_its_version_and_what_was_asked() -> None:
    tally = await asked(says(answer("1"), answer("1"), answer("2")))
    assert (tally.answered, tally.asked, tally.failed.total(), tally.connections) == (6, 6, 0, 1)
    assert tally.versions == {"1": 2, "2": 4}
    assert tally.answers["2", 0] == {b"of 2": 2}


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (answer(status=503), "status 503"),
        (answer(extra="X-Modelyard-Model-Version: 2\r\n"), "not one version"),
        (b"", "no answer"),
    ],
)
async def test_an_answer_that_is_not_one_versions_is_a_failure(bad: bytes, kind: str) -> None:
    tally = await asked(says(answer(), bad, answer()))
    assert dict(tally.failed) == {kind: 1}
    assert (tally.asked, tally.re_established) == (6, 0)
    assert len(tally.failures) == 1


async def test_a_request_is_asked_again_only_while_a_pod_is_removed() -> None:
    removals = Removals()
    with removals.one():
        tally = await asked(says(answer(), b"", b"", answer()), removals=removals)
    assert (tally.answered, tally.failed.total(), tally.re_established) == (6, 0, 1)
    assert tally.connections == 3


async def test_a_status_is_a_failure_even_while_a_pod_is_removed() -> None:
    removals = Removals()
    with removals.one():
        tally = await asked(says(answer(status=500), answer()), removals=removals)
    assert dict(tally.failed) == {"status 500": 1}


async def test_a_connection_that_the_server_says_it_closes_is_made_anew() -> None:
    tally = await asked(says(answer(extra="Connection: close\r\n"), answer()))
    assert (tally.answered, tally.failed.total(), tally.connections) == (6, 0, 2)


async def test_no_more_is_asked_than_the_rate_says() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asked(says(answer()), count=20, rate=100)
    assert loop.time() - start >= 0.19


async def test_an_answer_that_another_version_would_give_is_found() -> None:
    tally = await asked(says(answer("1")))
    own = {("1", 0): b"of 1", ("1", 1): b"of 1"}
    good = Outcome.of(tally, own, [("promotion", 1.0)], 1, 2.0)
    assert good.good
    mixed = Outcome.of(tally, own | {("1", 1): b"of 2"}, [("promotion", 1.0)], 1, 2.0)
    assert dict(mixed.wrong) == {"1": 3}
    assert not mixed.good
    assert "3 answers that are not" in mixed.text()


async def test_a_soak_in_which_something_did_not_happen_is_not_good() -> None:
    tally = await asked(says(answer("1")))
    own = {("1", 0): b"of 1", ("1", 1): b"of 1"}
    assert not Outcome.of(tally, own, [], 1, 2.0).good
    assert not Outcome.of(tally, own, [("canary", 1.0)], 1, 2.0, "TimeoutError: nobody").good
    assert Outcome.of(tally, own, [], 1, 2.0).document()["changes_that_did_not_happen"] == 1
