"""What a Dockerfile stands on and copies decides when its image is built again."""

from pathlib import Path

from bringup.dockerfile import Dockerfile, expand

EXAMPLE = """\
# FROM commented:out
ARG BASE=debian:trixie-slim
ARG VERSION=0.1.0
FROM modelyard/runtime:${VERSION} AS runtime
FROM ${BASE} AS build
RUN apt-get update \\
 && COPY is not an instruction here
COPY hack/one.py images/loader/requirements.txt /src/
COPY --chown=1:1 images/loader/modelyard_loader/ /opt/loader/
FROM runtime
COPY --from=build /opt /opt
COPY ["with space/file", "/there/"]
"""


def test_bases_are_found_with_their_arguments_filled_in_and_without_own_stages() -> None:
    assert Dockerfile.parse(EXAMPLE).bases == ("modelyard/runtime:0.1.0", "debian:trixie-slim")


def test_sources_are_found_but_for_those_of_other_stages() -> None:
    assert Dockerfile.parse(EXAMPLE).sources == (
        "hack/one.py",
        "images/loader/requirements.txt",
        "images/loader/modelyard_loader",
        "with space/file",
    )


def test_an_image_from_scratch_has_no_base() -> None:
    assert Dockerfile.parse("FROM scratch\n").bases == ()


def test_a_pattern_means_every_path_that_it_matches(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "c.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in expand(tmp_path, "*.py")] == ["a.py", "b.py"]
    assert expand(tmp_path, "absent.py") == []
