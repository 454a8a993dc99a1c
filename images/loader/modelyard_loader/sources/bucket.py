"""Objects of a bucket that is read from: listed with what tells their content, fetched as they were listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import obstore
from obstore import exceptions
from obstore.store import S3Store

from modelyard_loader.sources.files import written
from modelyard_runtime.errors import DataError, PlatformError, StepError
from modelyard_runtime.retry import Patience, patiently

Result = TypeVar("Result")

_CHUNK_BYTES = 4 * 1024 * 1024
_WILD = re.compile(r"[*?]")
_REFUSALS = re.compile(
    r"ExpiredToken|InvalidToken|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|InvalidSecurity|UserNotFound"
)
_FINAL = re.compile(r"status code: 4(?!08|29)\d\d")
"""Answers that asking again does not change."""
_NO_BUCKET = "NoSuchBucket"
_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?")
_MATCHING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Listed:
    """An object as it was listed."""

    key: str
    etag: str | None
    size: int

    @property
    def tag(self) -> str:
        """Changes with the content."""
        return f"{(self.etag or '').strip(chr(34))}/{self.size}"


@dataclass(frozen=True)
class Bucket:
    """A bucket, and how its refusals are told."""

    client: S3Store
    name: str
    where: str
    """The store, for messages."""
    refused: Callable[[str], StepError]
    missing: Callable[[], StepError]
    patience: Patience

    def matching(self, pattern: str) -> list[Listed]:
        """Objects whose keys match, in order of their keys. Marks of folders are no objects."""
        wild = _WILD.search(pattern)
        head = pattern[: wild.start()] if wild else pattern
        prefix = head[: head.rfind("/") + 1].rstrip("/") or None
        matches = re.compile(_as_regex(pattern), re.DOTALL).fullmatch
        found = [
            Listed(entry["path"], entry["e_tag"], entry["size"])
            for entry in self._answer(prefix or "", lambda: self._listed(prefix))
            if matches(entry["path"]) and not entry["path"].endswith("/")
        ]
        return sorted(found, key=lambda each: each.key.encode())

    def fetch(self, listed: Listed, target: Path) -> str:
        """Downloads an object as it was listed; returns its SHA-256. Raises DataError where it is another by now."""
        options: obstore.GetOptions = {} if listed.etag is None else {"if_match": listed.etag}

        def stream() -> str:
            return written(self._chunks(listed.key, options), target)

        return self._answer(listed.key, stream)

    def uri(self, key: str) -> str:
        """Address of a key."""
        return f"s3://{self.name}/{key}"

    def _listed(self, prefix: str | None) -> list[obstore.ObjectMeta]:
        return [entry for page in obstore.list(self.client, prefix) for entry in page]

    def _chunks(self, key: str, options: obstore.GetOptions) -> Iterator[bytes]:
        answer = obstore.get(self.client, key, options=options)
        for chunk in answer.stream(min_chunk_size=_CHUNK_BYTES):
            yield bytes(chunk)

    def _answer(self, key: str, ask: Callable[[], Result]) -> Result:
        try:
            return patiently(ask, _may_pass, self.patience, self.where)
        except (FileNotFoundError, exceptions.PreconditionError) as error:
            if _NO_BUCKET in str(error):
                raise self.missing() from error
            raise DataError(
                "was replaced or removed while it was read",
                field=self.uri(key),
                remedy="put a new object beside it instead, then ask for the load again",
            ) from error
        except (exceptions.UnauthenticatedError, exceptions.PermissionDeniedError) as error:
            raise self.refused(_code(error)) from error
        except exceptions.BaseError as error:
            if _NO_BUCKET in str(error):
                raise self.missing() from error
            if _REFUSALS.search(str(error)):
                raise self.refused(_code(error)) from error
            answer = f"answers {_code(error)}" if _FINAL.search(str(error)) else "did not answer"
            raise PlatformError(
                f"{self.where} {answer}",
                field=self.uri(key),
                remedy="check that the store is up and reachable from the project's namespace",
            ) from error


def _may_pass(error: Exception) -> bool:
    return isinstance(error, exceptions.GenericError) and _FINAL.search(str(error)) is None


def _as_regex(pattern: str) -> str:
    parts, reached = [], 0
    for token in _TOKENS.finditer(pattern):
        parts += [re.escape(pattern[reached : token.start()]), _MATCHING[token.group()]]
        reached = token.end()
    return "".join([*parts, re.escape(pattern[reached:])])


def _code(error: Exception) -> str:
    found = re.search(r"<Code>(\w+)</Code>", str(error)) or _REFUSALS.search(str(error))
    return found.group(found.lastindex or 0) if found else ""
