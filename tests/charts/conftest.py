"""Helm, an API server, and the values that people install with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bringup.context import Context
from bringup.tools import ensure_tools
from tests.support.controlplane import ControlPlane, running_control_plane
from tests.support.rendering import Rendered, Renderer

VALUES = Path(__file__).parent / "values"
CASES = sorted(file.stem for file in VALUES.glob("*.yaml"))


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    return Renderer(ensure_tools(Context.here(), ["helm"])["helm"])


@pytest.fixture(scope="session")
def judge() -> Iterator[ControlPlane]:
    """An API server without controllers: objects are judged and kept, nothing is run."""
    with running_control_plane(controllers=()) as plane:
        yield plane


@pytest.fixture(scope="session")
def default(renderer: Renderer) -> Rendered:
    """What is installed if nothing is said."""
    return renderer.render()


@pytest.fixture(scope="session", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def rendered(renderer: Renderer, case: str) -> Rendered:
    """Each file of values in turn."""
    return renderer.render(yaml.safe_load((VALUES / f"{case}.yaml").read_text()) or {})
