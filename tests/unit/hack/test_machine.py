"""What is read off the machine: mirrors, capabilities, mounts, places."""

from pathlib import Path

from bringup.debian import mirror_of
from bringup.down import mounts_under
from bringup.engine import lacks_resource_capability
from bringup.paths import Paths


def test_the_mirror_is_read_off_sources_of_the_old_style() -> None:
    text = "# deb http://other/debian x\ndeb [signed-by=/a] http://mirror.example/debian bookworm main\n"
    assert mirror_of(text) == "http://mirror.example/debian"


def test_the_mirror_is_read_off_sources_of_the_new_style() -> None:
    text = "Types: deb\nURIs: http://mirror.example/debian-security\n\nTypes: deb\nURIs: http://mirror.example/debian/\n"
    assert mirror_of(text) == "http://mirror.example/debian/"


def test_a_machine_without_a_mirror_of_debian_names_none() -> None:
    assert mirror_of("deb http://mirror.example/ubuntu noble main\n") is None


def test_a_bounding_set_without_the_capability_is_recognised() -> None:
    assert lacks_resource_capability("Name:\tx\nCapBnd:\t000001fffeffffff\n")
    assert not lacks_resource_capability("Name:\tx\nCapBnd:\t000001ffffffffff\n")


def test_mounts_are_listed_innermost_first() -> None:
    mounts = (
        "proc /c/base/proc proc rw 0 0\ntmpfs /c/base/proc/sys tmpfs rw 0 0\ntmpfs /cache2 tmpfs rw 0 0\n"
    )
    assert mounts_under(Path("/c"), mounts) == ["/c/base/proc/sys", "/c/base/proc"]


def test_a_mount_with_a_space_in_its_name_is_named_as_it_is() -> None:
    assert mounts_under(Path("/c"), "proc /c/a\\040b proc rw 0 0\n") == ["/c/a b"]


def test_the_cache_is_where_the_user_says() -> None:
    assert Paths.of({"MODELYARD_CACHE": "/fast/cache", "HOME": "/home/a"}).cache == Path("/fast/cache")
    assert Paths.of({"XDG_CACHE_HOME": "/home/a/.c"}).cache == Path("/home/a/.c/modelyard")
    assert Paths.of({"HOME": "/home/a"}).cache == Path("/home/a/.cache/modelyard")
