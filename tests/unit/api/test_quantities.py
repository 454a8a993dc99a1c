"""Quantities as Kubernetes writes them."""

import pytest

from modelyard_api.quantities import bytes_of, memory_quantity


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("2Gi", 2**31),
        ("1.5Gi", 3 * 2**29),
        ("500M", 500_000_000),
        ("1024", 1024),
        (1024, 1024),
        ("1k", 1000),
        ("1e3", 1000),
        ("0.3Ki", 308),
        ("0", 0),
        ("", None),
        (None, None),
        ("much", None),
        ("-1Gi", None),
        ("infinity", None),
    ],
)
def test_quantities_are_read(quantity: str | int | None, number: int | None) -> None:
    assert bytes_of(quantity) == number


@pytest.mark.parametrize(
    ("size", "quantity"),
    [(2**31, "2Gi"), (3 * 2**29, "1536Mi"), (2**20, "1Mi"), (2**20 + 1, "2Mi"), (1, "1Mi")],
)
def test_memory_is_written_in_whole_units_that_hold_it(size: int, quantity: str) -> None:
    assert memory_quantity(size) == quantity
