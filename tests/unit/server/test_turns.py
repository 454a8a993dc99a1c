"""What processes of a pod leave for each other: turns at loading, marks of loads without an end, and what was found out."""

import os
import threading
import time
from pathlib import Path

import pytest

from modelyard_server.models.arriving import SupersededError
from modelyard_server.models.rehearsing import Ending, Rehearsed
from modelyard_server.models.turns import Turns

DIGEST = "sha256:" + "7" * 64
REFUSED = Rehearsed(ending=Ending.REFUSED, message="it crashes")


def test_one_load_waits_for_the_other(tmp_path: Path) -> None:
    order: list[str] = []

    def load() -> None:
        with Turns(tmp_path).turn(threading.Event()):
            order.append("second")

    with Turns(tmp_path).turn(threading.Event()):
        waiting = threading.Thread(target=load)
        waiting.start()
        waiting.join(0.3)
        order.append("first")
    waiting.join(30)
    assert order == ["first", "second"]


def test_who_is_not_wanted_any_more_does_not_wait(tmp_path: Path) -> None:
    abandoned = threading.Event()
    abandoned.set()
    with (
        Turns(tmp_path).turn(threading.Event()),
        pytest.raises(SupersededError),
        Turns(tmp_path).turn(abandoned),
    ):
        pass


def test_a_load_without_an_end_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard_server.models.turns._PATIENCE_SECONDS", 0.1)
    with Turns(tmp_path).turn(threading.Event()), Turns(tmp_path).turn(threading.Event()):
        pass


def test_a_load_that_the_process_did_not_see_the_end_of_leaves_a_mark(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    with pytest.raises(ValueError, match="refused"), turns.loading(DIGEST):
        raise ValueError("refused")
    assert not turns.ended_a_process(DIGEST)
    child = os.fork()
    if child == 0:
        with turns.loading(DIGEST):
            os._exit(1)
    os.waitpid(child, 0)
    assert Turns(tmp_path).ended_a_process(DIGEST)
    with turns.loading(DIGEST):
        pass
    assert not Turns(tmp_path).ended_a_process(DIGEST)


def test_what_was_found_out_holds_for_a_minute(tmp_path: Path) -> None:
    assert Turns(tmp_path).told(DIGEST) is None
    Turns(tmp_path).tell(DIGEST, REFUSED)
    assert Turns(tmp_path).told(DIGEST) == REFUSED
    (note,) = tmp_path.glob("*.json")
    earlier = time.time() - 61
    os.utime(note, (earlier, earlier))
    assert Turns(tmp_path).told(DIGEST) is None


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    Turns(tmp_path).tell(DIGEST, REFUSED)
    (note,) = tmp_path.glob("*.json")
    note.write_text("{")
    assert Turns(tmp_path).told(DIGEST) is None
