"""Sweeps of which an ordinary run takes a share and a run with ``--thorough`` every case.

Which cases an ordinary run takes does not change from run to run. A case that alone sees some kind of fault is no part
of a sweep: it belongs into every run.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

Case = TypeVar("Case")
_MARK = "thorough"


def evenly(cases: Sequence[Case], most: int) -> list[Case]:
    """So many of the cases, as far apart as they come, the first and the last among them; all where there are fewer."""
    if most < 2:
        raise ValueError("a share has the first case and the last")
    if len(cases) <= most:
        return list(cases)
    return [cases[number * (len(cases) - 1) // (most - 1)] for number in range(most)]


def shared(cases: Sequence[Any], most: int) -> list[Any]:
    """All cases for ``parametrize``; those outside of an even share are left to thorough runs."""
    kept = evenly(range(len(cases)), most)
    return [case if number in kept else _marked(case) for number, case in enumerate(cases)]


class Sweep:
    """For tests that go through the cases themselves."""

    def __init__(self, *, thorough: bool) -> None:
        self.thorough = thorough

    def of(self, cases: Sequence[Case], most: int) -> list[Case]:
        """An even share of the cases, or all of them in a thorough run."""
        return list(cases) if self.thorough else evenly(cases, most)


@pytest.fixture(scope="session")
def sweep(pytestconfig: pytest.Config) -> Sweep:
    """How far this run goes."""
    return Sweep(thorough=bool(pytestconfig.getoption(_MARK)))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.addoption(
        "--thorough",
        action="store_true",
        help="every case of the sweeps, of which there is a share otherwise",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the mark known."""
    config.addinivalue_line("markers", f"{_MARK}: a further case of a sweep, for runs with --thorough")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what only a thorough run has."""
    if config.getoption(_MARK):
        return
    left = [item for item in items if item.get_closest_marker(_MARK) is not None]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def _marked(case: Any) -> Any:  # noqa: ANN401  as parametrize takes them
    if isinstance(case, type(pytest.param())):
        return pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.thorough])
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.thorough)
