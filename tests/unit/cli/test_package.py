"""The distribution names what it starts and what it needs."""

import ast
import re
import sys
import tomllib
from importlib import import_module

import pytest

from bringup.paths import REPOSITORY

FOLDER = REPOSITORY / "operator" / "cli"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
MODULES = {"common-expression-language": "cel", "pyyaml": "yaml"}
"""What a distribution is imported as, where that is another word."""


@pytest.mark.parametrize("target", PROJECT["scripts"].values())
def test_every_program_starts_a_function(target: str) -> None:
    module, _, function = target.partition(":")
    assert callable(getattr(import_module(module), function))


def test_what_is_imported_is_what_is_required() -> None:
    required = {re.split(r"[\[<>=]", text)[0] for text in PROJECT["dependencies"]}
    named = {MODULES.get(name, name.replace("-", "_")) for name in required}
    imported = {name for file in FOLDER.rglob("*.py") for name in _imports(file.read_text())}
    assert imported - set(sys.stdlib_module_names) - {"modelyard_cli"} == named


def _imports(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_versions_of_the_two_distributions_go_together() -> None:
    api = tomllib.loads((REPOSITORY / "operator" / "api" / "pyproject.toml").read_text())["project"]
    assert f"modelyard-api[judging]=={api['version']}" in PROJECT["dependencies"]
    assert PROJECT["version"] == api["version"]
