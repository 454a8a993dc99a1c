"""Results are whole or absent, also when the process that makes them is killed."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bringup.paths import REPOSITORY
from bringup.store import Store, replace_link, write_whole
from tests.support.waiting import until

_KILLED_HALF_WAY = """
import sys, time
from pathlib import Path
from bringup.store import Store

def make(partial):
    (partial / "half").write_text("half")
    time.sleep(60)

Store(Path(sys.argv[1])).ensure("tool", "k" * 64, make)
"""


def test_a_result_is_made_once(tmp_path: Path) -> None:
    made: list[Path] = []
    store = Store(tmp_path)
    first = store.ensure("tool", "a" * 64, made.append)
    second = store.ensure("tool", "a" * 64, made.append)
    assert first == second
    assert len(made) == 1


def test_another_key_is_another_result(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.ensure("tool", "a" * 64, lambda _: None) != store.ensure("tool", "b" * 64, lambda _: None)


def test_a_failed_making_leaves_no_result(tmp_path: Path) -> None:
    def fail(partial: Path) -> None:
        (partial / "half").write_text("half")
        raise RuntimeError("the compiler does not like it")

    store = Store(tmp_path)
    with pytest.raises(RuntimeError, match="compiler"):
        store.ensure("tool", "a" * 64, fail)
    assert store.find("tool", "a" * 64) is None


def test_what_a_killed_process_left_is_removed_and_the_result_made_whole(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED_HALF_WAY, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "hack")},
    )
    until((tmp_path / "tool" / ".partial" / "half").exists, what="half a result")
    child.send_signal(signal.SIGKILL)
    child.wait()
    store = Store(tmp_path)
    assert store.find("tool", "k" * 64) is None

    result = store.ensure("tool", "k" * 64, lambda partial: (partial / "whole").touch())
    assert [f.name for f in result.iterdir()] == ["whole"]


def test_who_asks_for_what_is_being_made_waits_for_it(tmp_path: Path) -> None:
    asked_again, may_end = threading.Event(), threading.Event()
    made: list[str] = []

    def make_first(_: Path) -> None:
        made.append("first")
        may_end.wait(30)

    def make_second(_: Path) -> None:
        made.append("second")

    def ask_again() -> None:
        asked_again.set()
        Store(tmp_path).ensure("tool", "a" * 64, make_second)

    first = threading.Thread(target=Store(tmp_path).ensure, args=("tool", "a" * 64, make_first))
    first.start()
    until(lambda: made == ["first"], what="the first making")
    second = threading.Thread(target=ask_again)
    second.start()
    asked_again.wait(30)
    second.join(0.3)
    assert second.is_alive()
    may_end.set()
    for thread in (first, second):
        thread.join(30)
    assert made == ["first"]


def test_a_link_is_pointed_elsewhere(tmp_path: Path) -> None:
    link = tmp_path / "bin" / "kubectl"
    replace_link(link, tmp_path / "old")
    replace_link(link, tmp_path / "new")
    assert link.readlink() == tmp_path / "new"


def test_processes_may_replace_a_link_at_once(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from bringup.store import replace_link

link = Path(sys.argv[1])
end, number = time.monotonic() + 1, 0
while time.monotonic() < end:
    replace_link(link, Path(f"{sys.argv[2]}{number}"))
    number += 1
"""
    link = tmp_path / "kubectl"
    processes = [subprocess.Popen([sys.executable, "-c", code, link, name]) for name in ("a", "b")]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert [item.name for item in tmp_path.iterdir()] == ["kubectl"]


def test_a_file_is_written_whole_into_a_new_directory(tmp_path: Path) -> None:
    write_whole(tmp_path / "build" / "values.json", "{}")
    assert (tmp_path / "build" / "values.json").read_text() == "{}"
    assert len(list((tmp_path / "build").iterdir())) == 1
