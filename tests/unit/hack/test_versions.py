"""Versions are read out of what programs and module files say."""

import pytest

from bringup.paths import Paths
from bringup.tools import TOOLS, Tool
from bringup.versions import Version, required_version


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go1.26.8", Version(1, 26, 8)),
        ("go version go1.26.8 linux/amd64", Version(1, 26, 8)),
        ("kind v0.33.0 go1.26.8 linux/amd64", Version(0, 33, 0)),
        ("v3.22.0+g14f2a1c", Version(3, 22, 0)),
        ("v1.32.4-dispatcher", Version(1, 32, 4)),
        ("Client Version: v1.35", Version(1, 35, 0)),
    ],
)
def test_a_version_is_found_in_what_a_program_says(said: str, version: Version) -> None:
    assert Version.parse(said) == version


def test_no_version_is_found_where_there_is_none() -> None:
    assert Version.parse("command not found") is None


def test_versions_are_ordered_by_number_not_by_letter() -> None:
    assert Version(1, 9) < Version(1, 10) < Version(2, 0)
    assert not Version(1, 10) < Version(1, 9)


def test_the_required_version_of_a_module_is_read() -> None:
    text = "module x\n\nrequire (\n\tk8s.io/api v0.35.4 // indirect\n\tk8s.io/kubernetes v1.35.4 // indirect\n)\n"
    assert required_version(text, "k8s.io/kubernetes") == "v1.35.4"


def test_a_module_that_is_not_required_is_named() -> None:
    with pytest.raises(ValueError, match=r"example\.com/none"):
        required_version("module x\n", "example.com/none")


@pytest.mark.parametrize("tool", [t for t in TOOLS.values() if t.module], ids=lambda t: t.name)
def test_every_tool_is_pinned_by_version_and_checksum(tool: Tool) -> None:
    folder = Paths.here().modules / tool.folder
    version = required_version((folder / "go.mod").read_text(), tool.module)
    assert f"{tool.module} {version} h1:" in (folder / "go.sum").read_text()
