"""The command line as a whole: help at once, exit codes, forms of output."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from modelyard_cli.__main__ import run
from modelyard_cli.app import COMMANDS, modelyard
from modelyard_cli.kubectl_completion import answer
from tests.support.resources import dataset

CONTEXT = click.Context(modelyard)
SLOW = {"pydantic", "httpx", "rich", "cel", "plotext", "yaml"}


def test_help_imports_nothing_that_is_slow() -> None:
    code = (
        "import sys; from modelyard_cli.__main__ import run; run(['--help']); run(['watch', '--help']);"
        f"print('slow:', sorted({SLOW!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("slow: []\n"), done.stdout


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_has_help_with_examples(entry: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = getattr(entry, "name", "")
    assert run([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert "Examples:" in said
    assert f"modelyard {name}" in said


def test_every_command_is_what_the_registry_says() -> None:
    for name in modelyard.list_commands(CONTEXT):
        assert modelyard.get_command(CONTEXT, name) is not None


@pytest.mark.parametrize("words", [["nothing"], ["validate"], ["watch", "--timeout", "soon", "dataset/a"]])
def test_a_wrong_command_line_ends_with_2(words: list[str]) -> None:
    assert run(words) == 2


def test_a_resource_that_is_no_kind_of_ours_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", "pod/a"]) == 1
    assert "pod is no kind of Modelyard. There are dataset (mds)" in capsys.readouterr().err


def test_without_kubectl_the_cluster_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["tree"]) == 3
    assert "kubectl is not on the PATH. Install it" in capsys.readouterr().err


@pytest.fixture
def files(tmp_path: Path) -> Path:
    good, bad = dataset("good", "demo"), dataset("bad", "demo", primaryKey=["my id"])
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([good, bad, {"apiVersion": "v1", "kind": "Pod"}]))
    return tmp_path / "all.yaml"


def test_validate_names_file_line_and_fault_and_ends_with_1(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", str(files)]) == 1
    said = capsys.readouterr().out
    line = files.read_text().splitlines().index("  - my id") + 1
    assert f"{files}:{line}: spec.primaryKey[0]: Invalid value" in said
    assert "dataset/good valid" in said
    assert said.endswith("1 valid, 1 invalid, 1 skipped\n")


def test_validate_speaks_json_yaml_and_names(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["validate", str(files), "-o", "json"])
    as_json = json.loads(capsys.readouterr().out)
    run(["validate", str(files), "-o", "yaml"])
    assert yaml.safe_load(capsys.readouterr().out) == as_json
    assert [item["result"] for item in as_json] == ["valid", "invalid", "skipped"]
    run(["validate", str(files), "-o", "name"])
    assert capsys.readouterr().out == "dataset/bad\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_MODELYARD_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["wat"], ["watch", ":4"]),
        (["watch", "train"], ["trainingjob/", ":4"]),
        (["validate", "a"], [":0"]),
        (["completion", ""], ["bash", "zsh", "fish", ":4"]),
    ],
)
def test_kubectl_is_told_how_words_go_on(words: list[str], lines: list[str]) -> None:
    assert [line.partition("\t")[0] for line in answer(words[:-1], words[-1])] == lines
