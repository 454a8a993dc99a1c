"""More memory after too little, and what to ask for next time."""

from decimal import Decimal

import pytest

from modelyard_api.v1alpha1.common import ResourceRequirements
from modelyard_operator.decisions.memory import (
    Growth,
    raised_limit,
    suggested_requests,
    with_memory_limit,
)

GIBIBYTE = 2**30
DOUBLE = Growth(Decimal(2), 8 * GIBIBYTE)


def having(limit: str | None, request: str | None = None) -> ResourceRequirements:
    return ResourceRequirements(
        requests={"cpu": "1", **({"memory": request} if request else {})},
        limits={"memory": limit} if limit else {},
    )


@pytest.mark.parametrize(
    ("limit", "growth", "raised"),
    [
        ("2Gi", DOUBLE, "4Gi"),
        ("48Mi", DOUBLE, "96Mi"),
        ("6Gi", DOUBLE, "8Gi"),
        ("8Gi", DOUBLE, ""),
        ("16Gi", DOUBLE, ""),
        (None, DOUBLE, ""),
        ("2Gi", Growth(Decimal(2), 0), ""),
        ("2Gi", Growth(Decimal(1), 8 * GIBIBYTE), ""),
        ("2Gi", Growth(Decimal("1.5"), 8 * GIBIBYTE), "3Gi"),
    ],
)
def test_a_limit_is_raised_by_its_factor_up_to_the_highest(
    limit: str | None, growth: Growth, raised: str
) -> None:
    assert raised_limit(having(limit), growth) == raised


def test_a_raised_limit_reserves_what_was_too_little_and_keeps_the_rest() -> None:
    raised = with_memory_limit(having("2Gi", "512Mi"), "4Gi")
    assert raised.limits == {"memory": "4Gi"}
    assert raised.requests == {"cpu": "1", "memory": "2Gi"}


@pytest.mark.parametrize("limit", ["4Gi", "6Gi", None])
def test_a_limit_that_is_as_high_by_now_stays(limit: str | None) -> None:
    assert with_memory_limit(having(limit, "1Gi"), "4Gi") == having(limit, "1Gi")


@pytest.mark.parametrize(
    ("cpu_seconds", "seconds", "peak", "cpu", "memory"),
    [
        (40.0, 20.0, 400 * 2**20, "2200m", "480Mi"),
        (1.0, 100.0, 1, "50m", "16Mi"),
        (10.0, 10.0, 1001 * 2**20, "1100m", "1216Mi"),
        (0.0, 10.0, 5 * GIBIBYTE // 6, "50m", "1Gi"),
    ],
)
def test_requests_are_the_mean_of_the_cpu_and_the_peak_of_the_memory_with_a_margin(
    cpu_seconds: float, seconds: float, peak: int, cpu: str, memory: str
) -> None:
    found = suggested_requests(cpu_seconds, seconds, peak)
    assert found is not None
    assert (found.cpu, found.memory) == (cpu, memory)


def test_nothing_is_suggested_where_the_time_is_not_known() -> None:
    assert suggested_requests(10, None, 2**30) is None
    assert suggested_requests(10, 0, 2**30) is None
