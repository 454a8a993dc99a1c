"""Content keys change with what they stand for, and with nothing else."""

from pathlib import Path

import pytest

from bringup.keys import files_under, key_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("x = 1\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def key(tree: Path) -> str:
    return key_of(["image"], files_under(tree), tree)


def test_the_same_files_give_the_same_key(tree: Path) -> None:
    assert key(tree) == key(tree)


def test_a_changed_byte_changes_the_key(tree: Path) -> None:
    before = key(tree)
    (tree / "package" / "module.py").write_text("x = 2\n")
    assert key(tree) != before


def test_a_renamed_file_changes_the_key(tree: Path) -> None:
    before = key(tree)
    (tree / "package" / "module.py").rename(tree / "package" / "other.py")
    assert key(tree) != before


def test_a_file_made_executable_changes_the_key(tree: Path) -> None:
    before = key(tree)
    (tree / "Dockerfile").chmod(0o755)
    assert key(tree) != before


def test_what_tools_leave_behind_does_not_change_the_key(tree: Path) -> None:
    before = key(tree)
    for name in ("__pycache__/module.cpython-313.pyc", ".mypy_cache/a.json", "package/module.pyc"):
        file = tree / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"left behind")
    assert key(tree) == before


def test_words_are_not_run_together() -> None:
    assert key_of(["ab", "c"]) != key_of(["a", "bc"])


def test_a_word_is_not_taken_for_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("")
    assert key_of(["a"]) != key_of([], [file], tmp_path)
