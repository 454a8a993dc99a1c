"""The directories that the containers of a pod hand each other, and how files of others are read from them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from modelyard_api.contract.own_container import (
    DOCUMENT_FILE,
    INPUT_DIRECTORY,
    INPUT_VARIABLE,
    JUDGED_DIRECTORY,
    JUDGED_VARIABLE,
    METER_DIRECTORY,
    METER_PROGRAM_VARIABLE,
    METER_VARIABLE,
    METRICS_FILE,
    MODEL_DIRECTORY,
    OUTPUT_DIRECTORY,
    OUTPUT_VARIABLE,
    PARAMETERS_FILE,
    JobDocument,
)
from modelyard_runtime.errors import StepError

_METER = "/usr/local/bin/modelyard-meter"
"""Where the trainer's image has the program."""
_NAME = re.compile(r"[A-Za-z0-9_.+=@,() -]{1,200}")
"""Names of files that mean the same in a URL, an object store and a file system."""
_REMEDY = "Correct the code of the container"


@dataclass(frozen=True)
class Limits:
    """What is taken of a directory that somebody else wrote."""

    files: int = 1000
    bytes: int = 1024 * 1024 * 1024


LIMITS = Limits()


class OwnCodeError(StepError):
    """What the container made is not what the contract promises. Not tried again."""


@dataclass(frozen=True)
class Places:
    """Where the directories are."""

    input: Path
    output: Path
    judged: Path
    meter: Path
    program: Path
    """The program that starts own code and measures it, in the trainer's own image."""

    @classmethod
    def mounted(cls, environment: Mapping[str, str]) -> Places:
        """Where the pod mounts them, unless the environment names others."""
        return cls(
            Path(environment.get(INPUT_VARIABLE, INPUT_DIRECTORY)),
            Path(environment.get(OUTPUT_VARIABLE, OUTPUT_DIRECTORY)),
            Path(environment.get(JUDGED_VARIABLE, JUDGED_DIRECTORY)),
            Path(environment.get(METER_VARIABLE, METER_DIRECTORY)),
            Path(environment.get(METER_PROGRAM_VARIABLE, _METER)),
        )

    def document(self) -> JobDocument:
        """What the rows are and what is learnt from them."""
        return JobDocument.model_validate_json((self.input / DOCUMENT_FILE).read_bytes())


@dataclass(frozen=True)
class Made:
    """Files that the container made."""

    model: dict[str, bytes]
    """By their path in the model's directory; at least one."""
    metrics: bytes | None
    parameters: bytes | None


def read_made(output: Path, limits: Limits = LIMITS) -> Made:
    """The files of the contract; others are left alone. Raises OwnCodeError where they are not as promised."""
    model = read_tree(output / MODEL_DIRECTORY, limits)
    if not model:
        raise OwnCodeError(
            "the container ended well but left no model",
            field=f"{OUTPUT_DIRECTORY}/{MODEL_DIRECTORY}",
            remedy="Write the model into that directory, as model.skops with signature.json where it shall be served",
        )
    return Made(model, read_file(output / METRICS_FILE, limits), read_file(output / PARAMETERS_FILE, limits))


def read_tree(root: Path, limits: Limits = LIMITS) -> dict[str, bytes]:
    """Files below a directory by their path in it, with slashes; empty where it is not there.

    A link could lead to credentials of the container that reads it, so that anything but files and directories is
    refused with OwnCodeError, as is more than the limits allow.
    """
    if root.is_symlink():
        raise _refused(root.name)
    if not root.is_dir():
        return {}
    paths = sorted(_files(root, root, limits))
    total = sum(path.stat().st_size for path in paths)
    if total > limits.bytes:
        raise OwnCodeError(
            f"its files have {total} bytes, at most {limits.bytes} are stored",
            field=root.name,
            remedy=_REMEDY,
        )
    return {path.relative_to(root).as_posix(): _content(path) for path in paths}


def _files(directory: Path, root: Path, limits: Limits) -> Iterator[Path]:
    pending, found = [directory], 0
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                found += 1
                if found > limits.files:
                    raise OwnCodeError(
                        f"it has more than {limits.files} entries", field=root.name, remedy=_REMEDY
                    )
                name = Path(entry.path).relative_to(root).as_posix()
                if not _NAME.fullmatch(entry.name):
                    raise _misnamed(f"{root.name}/{name}")
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
                else:
                    raise _refused(f"{root.name}/{name}")


def read_file(path: Path, limits: Limits = LIMITS) -> bytes | None:
    """A file that somebody else may have written, or None where there is none. Raises OwnCodeError, as above."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise _refused(path.name)
    if not path.exists():
        return None
    if path.stat().st_size > limits.bytes:
        raise OwnCodeError(f"has more than {limits.bytes} bytes", field=path.name, remedy=_REMEDY)
    return _content(path)


def _content(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def first_fault(error: ValidationError) -> str:
    """Where a document is not as promised, and how."""
    fault = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]


def _misnamed(name: str) -> OwnCodeError:
    return OwnCodeError(
        "is not a name that is stored",
        field=name,
        remedy="Use letters, digits, blanks and _ . + = @ , ( ) - in names of files, 200 at most",
    )


def _refused(name: str) -> OwnCodeError:
    return OwnCodeError(
        "is no plain file: links, pipes and devices are not read",
        field=name,
        remedy="Write files and directories only",
    )
