"""Files and functions past their limit are named."""

from pathlib import Path

from check_sizes import FILE_LINES, FUNCTION_LINES, too_long


def test_a_long_function_and_a_long_file_are_named(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("def f():\n" + "    x = 1\n" * FUNCTION_LINES + "\n" * FILE_LINES)
    complaints = list(too_long(file))
    assert any("module.py:1: f has" in c for c in complaints)
    assert any(f"{FILE_LINES} are the limit" in c for c in complaints)


def test_a_short_file_is_passed(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("def f():\n    return 1\n")
    assert list(too_long(file)) == []
