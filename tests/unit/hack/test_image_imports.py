"""What the programs of an image import is installed in it: read from the code, since only there nothing else is installed."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from bringup.paths import REPOSITORY
from requirements_delta import entries

IMAGES = {
    "loader": "modelyard_loader",
    "operator": "modelyard_operator",
    "provisioner": "modelyard_provisioner",
    "server": "modelyard_server",
    "trainer": "modelyard_trainer",
}
SOURCES = [*(REPOSITORY / "operator").iterdir(), *(REPOSITORY / "images").iterdir()]


def file_of(module: str) -> Path | None:
    """The file of one of our modules."""
    for source in SOURCES:
        place = source / module.replace(".", "/")
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.exists():
                return file
    return None


def imports_of(file: Path, module: str) -> Iterator[str]:
    """Every module that a file names, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by dots"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def foreign_imports(program: str) -> dict[str, str]:
    """Top-level packages of others that a program reaches, each with a module of ours that names it."""
    found: dict[str, str] = {}
    waiting, seen = [f"{program}.__main__"], set[str]()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        file = file_of(module)
        if file is None:
            continue
        waiting += [module.rpartition(".")[0]] if "." in module else []
        for name in imports_of(file, module):
            top = name.partition(".")[0]
            if top.startswith("modelyard_"):
                waiting.append(name)
            elif top not in sys.stdlib_module_names:
                found.setdefault(top, module)
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(image: str) -> set[str]:
    """Distributions of an image, those of the base that it stands on among them."""
    files = [REPOSITORY / "images" / image / "requirements.txt"]
    if "modelyard/runtime" in (REPOSITORY / "images" / image / "Dockerfile").read_text():
        files.append(REPOSITORY / "images" / "runtime" / "requirements.txt")
    return {normal(re.split(r"[=\[ ;]", pin)[0]) for file in files for pin in entries(file.read_text())}


@pytest.mark.parametrize("image", IMAGES)
def test_what_a_program_imports_is_in_its_image(image: str) -> None:
    distributions, present = packages_distributions(), installed(image)
    missing = {
        top: module
        for top, module in foreign_imports(IMAGES[image]).items()
        if not present & {normal(name) for name in distributions.get(top, [top])}
    }
    assert missing == {}


def test_the_walk_reaches_what_is_imported_late_and_through_our_other_packages() -> None:
    found = foreign_imports("modelyard_operator")
    assert found["cronsim"] == "modelyard_api.schedule"
    assert "matplotlib" in foreign_imports("modelyard_trainer")
