"""What Prometheus answers, and what is no answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from modelyard_operator.objects.gates import QueryAnswer
from modelyard_operator.serving.prometheus import Prometheus, read_answer
from tests.support.ports import free_port


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ('{"resultType":"scalar","result":[1700000000.1,"0.25"]}', (0.25,)),
        ('{"resultType":"vector","result":[]}', ()),
        (
            '{"resultType":"vector","result":[{"metric":{},"value":[1.5,"3"]},{"value":[1.5,"+Inf"]}]}',
            (3.0, float("inf")),
        ),
    ],
)
def test_each_series_has_one_value(content: str, values: tuple[float, ...]) -> None:
    found = read_answer(f'{{"status":"success","data":{content}}}'.encode(), 200)
    assert found == QueryAnswer(values)


@pytest.mark.parametrize(
    ("content", "status", "fault"),
    [
        (
            '{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}',
            400,
            "Prometheus refuses the query: parse error: unexpected end",
        ),
        (
            '{"status":"success","data":{"resultType":"matrix","result":[]}}',
            200,
            "the query gives a matrix; a gate needs one value a series",
        ),
        ("<html>", 502, "Prometheus answers HTTP 502 and nothing that can be read"),
        ("{}", 200, "Prometheus answers HTTP 200 and nothing that can be read"),
    ],
)
def test_what_is_no_value_is_a_fault(content: str, status: int, fault: str) -> None:
    assert read_answer(content.encode(), status) == QueryAnswer(fault=fault)


async def ask(url: str, seconds: float = 5) -> QueryAnswer:
    client = Prometheus(url, seconds)
    try:
        return await client.ask("sum(up) > 0")
    finally:
        await client.close()


@asynccontextmanager
async def serving(answer: Callable[[asyncio.StreamReader], Awaitable[bytes]]) -> AsyncIterator[str]:
    """The address of a server of one request, which ends with its connection."""
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await answer(reader))
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.asyncio
async def test_a_query_is_sent_as_a_form_and_answered_with_its_values() -> None:
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.startswith("Content-Length")
        )
        seen.extend((head.split(" HTTP")[0], (await reader.readexactly(length)).decode()))
        content = b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"7"]}]}}'
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
            len(content),
            content,
        )

    async with serving(answer) as url:
        assert await ask(f"{url}/") == QueryAnswer((7.0,))
    assert seen == ["POST /api/v1/query", "query=sum%28up%29+%3E+0&timeout=5s"]


@pytest.mark.asyncio
async def test_silence_is_a_fault_within_the_time_that_is_given() -> None:
    async def never(reader: asyncio.StreamReader) -> bytes:
        await reader.read()
        return b""

    async with serving(never) as url:
        found = await ask(url, 0.2)
    assert found == QueryAnswer(fault="Prometheus did not answer within 0.2 seconds")


@pytest.mark.asyncio
async def test_nobody_there_and_nobody_known_are_faults() -> None:
    assert (await ask(f"http://127.0.0.1:{free_port()}")).fault.startswith("Prometheus does not answer: ")
    assert (await ask("")).fault.startswith("no Prometheus is known; name one in the chart")
