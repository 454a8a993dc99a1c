"""A model that certainly does not fit is refused with what to do, before it costs the champion its process."""

import subprocess
import sys
from pathlib import Path

import pytest

from modelyard_server.errors import BundleError
from modelyard_server.models.archive import ArchiveLimits, inspect_archive
from modelyard_server.models.memory import demand_room, free_bytes
from tests.support.bundles import build_bundle, iris

MIB = 1024 * 1024
_GREEDY = """
from modelyard_server.models.memory import limit_data
limit_data(64 * 1024 * 1024)
held = bytearray(32 * 1024 * 1024)
try:
    held = bytearray(512 * 1024 * 1024)
except MemoryError:
    print("refused")
"""
_LOADING = """
import threading
from pathlib import Path
from modelyard_server.models.memory import give_back_what_is_large

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

def load():
    held = bytearray(30 * 1024 * 1024)
    del held  # from now on the C library keeps what is smaller
    before = resident()
    parts = [bytearray(2 * 1024 * 1024) for _ in range(8)]
    del parts
    print(resident() - before)

give_back_what_is_large()
thread = threading.Thread(target=load)
thread.start()
thread.join()
"""


def test_a_thread_that_loaded_a_model_keeps_nothing_of_what_it_freed() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADING], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500, "pages of 4 KiB"


def cgroup(directory: Path, limit: str, current: int, stat: str = "anon 1\ninactive_file 0\n") -> Path:
    (directory / "memory.max").write_text(f"{limit}\n")
    (directory / "memory.current").write_text(f"{current}\n")
    (directory / "memory.stat").write_text(stat)
    return directory


def test_what_is_free_is_the_limit_without_what_is_taken(tmp_path: Path) -> None:
    assert free_bytes(cgroup(tmp_path, "1000", 300)) == 700


def test_pages_that_the_kernel_gives_back_are_free(tmp_path: Path) -> None:
    assert free_bytes(cgroup(tmp_path, "1000", 900, "anon 1\ninactive_file 250\n")) == 350


def test_more_than_the_limit_is_nothing(tmp_path: Path) -> None:
    assert free_bytes(cgroup(tmp_path, "1000", 1200)) == 0


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    held = {"limit_in_bytes": "1000", "usage_in_bytes": "900", "stat": "rss 1\ntotal_inactive_file 250"}
    for name, text in held.items():
        (tmp_path / "memory" / f"memory.{name}").write_text(f"{text}\n")
    assert free_bytes(tmp_path) == 350
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert free_bytes(tmp_path) is None


@pytest.mark.parametrize("limit", ["max", ""])
def test_a_pod_without_a_limit_has_no_bound(tmp_path: Path, limit: str) -> None:
    assert free_bytes(cgroup(tmp_path, limit, 300)) is None


def test_a_machine_without_control_groups_has_no_bound(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "nowhere") is None


def test_a_file_that_does_not_fit_names_both_numbers_and_the_remedy() -> None:
    with pytest.raises(BundleError) as refusal:
        demand_room("model.skops", 100 * MIB + 1, 99 * MIB + 5)
    assert str(refusal.value) == (
        "model.skops takes at least 101 MiB of memory while it is loaded, the pod has 99 left; "
        "raise spec.serving.resources.limits.memory"
    )
    demand_room("model.skops", 100, 100)
    demand_room("model.skops", 100, None)


def test_a_model_is_judged_by_what_it_comes_to_when_it_is_unpacked() -> None:
    content = build_bundle(iris()).files["model.skops"]
    inspect_archive(content, ArchiveLimits(room=lambda: MIB))
    with pytest.raises(BundleError, match="takes at least 1 MiB of memory"):
        inspect_archive(content, ArchiveLimits(room=lambda: 100))


def test_a_process_that_reads_boosters_gets_no_more_than_it_may_take() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _GREEDY], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("refused\n", "")
