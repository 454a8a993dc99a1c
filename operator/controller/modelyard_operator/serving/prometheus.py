"""Asks Prometheus. Whatever is no number is told as a fault, for people: what is not measured is not known to be well."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from modelyard_operator.objects.gates import QueryAnswer

_PATH = "/api/v1/query"
_MOST_BYTES = 1 << 20
_LENGTH = 160
_NOBODY = QueryAnswer(
    fault="no Prometheus is known; name one in the chart: prometheus.enabled or prometheus.external.url"
)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Series(_Answer):
    value: tuple[float, float]
    """Time and value; Prometheus writes the value as a text, NaN and infinities as words."""


class _Vector(_Answer):
    result_type: Annotated[Literal["vector"], Field(alias="resultType")]
    result: tuple[_Series, ...]


class _Scalar(_Answer):
    result_type: Annotated[Literal["scalar"], Field(alias="resultType")]
    result: tuple[float, float]


class _Other(_Answer):
    result_type: Annotated[str, Field(alias="resultType")]
    result: Any


class _Success(_Answer):
    status: Literal["success"]
    data: Annotated[_Vector | _Scalar | _Other, Field(union_mode="left_to_right")]


class _Error(_Answer):
    status: Literal["error"]
    error: str = ""


_ANSWER: TypeAdapter[_Success | _Error] = TypeAdapter(_Success | _Error)


class Prometheus:
    """One connection pool; ``url`` is empty where there is no Prometheus."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._seconds = timeout_seconds
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session = aiohttp.ClientSession(timeout=timeout, trust_env=False)

    async def close(self) -> None:
        """Ends the connections."""
        await self._session.close()

    async def ask(self, query: str) -> QueryAnswer:
        """Values of an instant query now, one a series."""
        if not self._url:
            return _NOBODY
        form = {"query": query, "timeout": f"{self._seconds:g}s"}
        try:
            async with self._session.post(f"{self._url}{_PATH}", data=form) as response:
                content = await response.content.read(_MOST_BYTES)
                return read_answer(content, response.status)
        except TimeoutError:
            return QueryAnswer(fault=f"Prometheus did not answer within {self._seconds:g} seconds")
        except aiohttp.ClientError as error:
            return QueryAnswer(fault=f"Prometheus does not answer: {str(error)[:_LENGTH]}")


def read_answer(content: bytes, status: int) -> QueryAnswer:
    """The values in an answer of Prometheus, or what is wrong with it."""
    try:
        answer = _ANSWER.validate_json(content)
    except ValidationError:
        return QueryAnswer(fault=f"Prometheus answers HTTP {status} and nothing that can be read")
    if isinstance(answer, _Error):
        return QueryAnswer(fault=f"Prometheus refuses the query: {answer.error[:_LENGTH]}")
    data = answer.data
    if isinstance(data, _Scalar):
        return QueryAnswer((data.result[1],))
    if isinstance(data, _Vector):
        return QueryAnswer(tuple(series.value[1] for series in data.result))
    return QueryAnswer(fault=f"the query gives a {data.result_type}; a gate needs one value a series")
