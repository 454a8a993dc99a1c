"""What every test of the server's parts needs."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in the server: threads of a library that wait for a busy core make small models slow, not fast."""
    with threadpool_limits(limits=1):
        yield
