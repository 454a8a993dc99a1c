"""Files are read as kubectl reads them, and every field knows its line."""

from pathlib import Path

import pytest

from modelyard_cli.errors import CommandError
from modelyard_cli.validation.documents import Document, parse, read_files


def only(text: str) -> Document:
    (document,) = parse(text, "file")
    return document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("N", False),
        ("yes", True),
        ("off", False),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
        ("12:30", "12:30"),
        ("1:30.5", "1:30.5"),
        ("5.0", 5),
        ("0.5", 0.5),
        ("1e3", 1000),
        ("~", None),
        ("'40'", "40"),
        ("0x10", 16),
        ("yesterday", "yesterday"),
    ],
)
def test_a_word_means_what_it_means_to_kubectl(text: str, value: object) -> None:
    found = only(f"key: {text}").content
    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


def test_every_field_knows_its_line() -> None:
    document = only("kind: Dataset\nspec:\n  variants:\n  - name: v1\n  - name: v2\n    from: v1\n")
    assert document.line("spec.variants[1].from") == 6
    assert document.line("spec.variants[1]") == 5
    assert document.line("spec.variants[1].nothing[3].there") == 5
    assert document.line("") == 1


def test_a_field_that_is_given_twice_is_named_with_both_lines() -> None:
    document = only("spec:\n  a: 1\n  b: 2\n  a: 3\n")
    assert document.faults == [(4, "spec.a is given twice, first in line 2")]


def test_a_text_that_is_no_yaml_says_where_and_spares_what_came_before() -> None:
    good, bad = parse("kind: Dataset\n---\nspec: [1, 2\nname: x\n", "file")
    assert good.content == {"kind": "Dataset"}
    assert bad.faults[0][0] == 4
    assert "is no YAML" in bad.faults[0][1]


def test_empty_documents_are_none() -> None:
    assert list(parse("---\n---\n# nothing\n", "file")) == []


def test_a_folder_stands_for_all_files_in_it_but_not_for_other_documents(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a.yml").write_text("kind: Dataset")
    (tmp_path / "b.json").write_text('{"rows": []}')
    (tmp_path / "c.txt").write_text("kind: Dataset")
    found = {Path(item.source).name: item for item in read_files([str(tmp_path)])}
    assert set(found) == {"a.yml", "b.json"}
    assert found["a.yml"].is_resource
    assert not found["b.json"].is_resource
    (named,) = read_files([str(tmp_path / "b.json")])
    assert named.is_resource


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match=r"nowhere\.yaml is not there"):
        list(read_files(["nowhere.yaml"]))
