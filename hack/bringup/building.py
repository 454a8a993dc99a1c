"""Building one image from a Dockerfile and exactly the files that it needs."""

import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bringup.context import Context
from bringup.registry import KEY_LABEL
from bringup.shell import Options

# What the build containers are told about the network around them, if the machine itself was told.
PASSED_ON = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "GOPROXY", "GONOSUMDB", "GOFLAGS",
)  # fmt: skip


@dataclass(frozen=True)
class Build:
    """One image: names to give it, the context by path inside it, and where in the context the Dockerfile is."""

    tags: tuple[str, ...]
    key: str
    files: Mapping[str, Path]
    dockerfile: str = "Dockerfile"
    target: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)


def build_image(context: Context, build: Build, log: str) -> None:
    """Sends the context to the engine; the finished image carries the content key as a label."""
    argv = [
        "docker",
        "build",
        "--network",
        "host",
        "--file",
        build.dockerfile,
        "--label",
        f"{KEY_LABEL}={build.key}",
    ]
    for tag in build.tags:
        argv += ["--tag", tag]
    if build.target:
        argv += ["--target", build.target]
    for name, value in build.arguments.items():
        argv += ["--build-arg", f"{name}={value}"]
    with tempfile.TemporaryFile() as stream:
        # The engine looks at the first 512 bytes only to tell an archive from a Dockerfile: no extended header there.
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, path in sorted(build.files.items()):
                archive.add(path.resolve(), arcname=name, recursive=False, filter=_anonymous)
        stream.seek(0)
        context.shell.run(log, [*argv, "-"], Options(stdin=stream, env={"DOCKER_BUILDKIT": builder(context)}))


def builder(context: Context) -> str:
    """Which of the engine's builders: BuildKit where its client part is installed, else the classic one."""
    return "1" if context.shell.ask(["docker", "buildx", "version"]) else "0"


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leaves out who made a file and when, so that equal contexts are equal to the engine's cache."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member
