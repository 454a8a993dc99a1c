"""Sums, quantiles and counts of different values: exact or within their bounds, and the same in any portions."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from modelyard_loader.record.sketches import Distinct, Quantiles, exact_sum
from modelyard_runtime.hashing import mix

_UNIT = Fraction(1, 2**1074)


def _portions(values: np.ndarray, seed: int) -> list[np.ndarray]:
    chance = np.random.default_rng(seed)
    shuffled = chance.permutation(values)
    cuts = sorted({0, len(values), *chance.integers(0, len(values), 6).tolist()})
    return [shuffled[start:end] for start, end in pairwise(cuts)]


def _numbers(kind: str, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    if kind == "normal":
        return chance.normal(3, 10, 40_000)
    if kind == "wide":
        return chance.choice([-1, 1], 20_000) * np.exp(chance.normal(0, 60, 20_000))
    if kind == "tiny":
        return chance.normal(size=3_000) * 5e-320
    if kind == "huge":
        return chance.choice([-1, 1], 300) * 10.0 ** chance.uniform(280, 307, 300)
    if kind == "below one":
        return np.array([1.0] + [2.0**-41 + 2.0**-81] * 16_383)
    return chance.integers(0, 40, 30_000).astype(np.float64)


@pytest.mark.parametrize("kind", ["normal", "wide", "tiny", "huge", "few", "below one"])
def test_a_sum_is_exact(kind: str) -> None:
    values = _numbers(kind, 1)
    assert exact_sum(values) * _UNIT == sum(map(Fraction, values.tolist()), Fraction(0))


def test_no_values_have_the_sum_zero() -> None:
    assert exact_sum(np.zeros(0)) == 0


@pytest.mark.parametrize("kind", ["normal", "wide", "tiny", "few"])
def test_values_that_were_counted_before_give_the_quantiles_of_each_by_itself(kind: str) -> None:
    values = np.concatenate((_numbers(kind, 7), [0.0, 0.0, -1.5]))
    each, counted = Quantiles(), Quantiles()
    each.add(values)
    counted.add_counted(*np.unique(values, return_counts=True))
    assert counted.bits == each.bits
    assert counted.buckets.tolist() == each.buckets.tolist()
    assert counted.counts.tolist() == each.counts.tolist()
    assert counted.counts.sum() == len(values)


@pytest.mark.parametrize("kind", ["normal", "wide", "tiny", "huge", "few"])
@pytest.mark.parametrize("seed", range(3))
def test_quantiles_are_the_same_in_any_portions(kind: str, seed: int) -> None:
    values = _numbers(kind, seed)
    whole, together = Quantiles(), Quantiles()
    whole.add(values)
    for number, portion in enumerate(_portions(values, seed)):
        other = Quantiles()
        (together if number % 2 else other).add(portion)
        together.merge(other)
    assert together.bits == whole.bits
    assert together.buckets.tolist() == whole.buckets.tolist()
    assert together.counts.tolist() == whole.counts.tolist()


@pytest.mark.parametrize("kind", ["normal", "wide", "huge", "few"])
def test_a_quantile_is_within_one_percent_of_the_value(kind: str) -> None:
    values = _numbers(kind, 5)
    sketch = Quantiles()
    sketch.add(values)
    for share in (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0):
        exact = float(np.quantile(values, share, method="lower"))
        assert abs(sketch.at(share) - exact) <= 0.01 * abs(exact)


def test_few_different_values_are_told_to_a_millionth() -> None:
    values = np.arange(1990.0, 2030.0).repeat(50)
    sketch = Quantiles()
    sketch.add(values)
    assert sketch.at(0.5) == 2009.0
    assert len(sketch.buckets) == 40


def test_zeros_are_neither_positive_nor_negative() -> None:
    sketch = Quantiles()
    sketch.add(np.array([0.0, 0.0, 5e-324, -5e-324, 1.0]))
    assert dict(zip(sketch.buckets.tolist(), sketch.counts.tolist(), strict=True))[0] == 2
    assert sketch.counts.sum() == 5
    assert sketch.at(0.5) == 0.0


@pytest.mark.parametrize("count", [0, 1, 100, 5_000, 60_000, 1_000_000])
def test_different_values_are_counted_within_four_standard_errors(count: int) -> None:
    hashes = mix(np.arange(count, dtype=np.uint64))
    sketch = Distinct()
    sketch.add(hashes)
    sketch.add(hashes[: count // 2])
    assert abs(sketch.estimate() - count) <= 4 * 1.04 / math.sqrt(4096) * count


def test_counts_of_different_values_add_up() -> None:
    hashes = mix(np.arange(30_000, dtype=np.uint64))
    whole, one, two = Distinct(), Distinct(), Distinct()
    whole.add(hashes)
    one.add(hashes[:20_000])
    two.add(hashes[10_000:])
    one.merge(two)
    assert one.registers.tolist() == whole.registers.tolist()


def test_a_hash_whose_lower_bits_are_all_zero_has_the_last_rank() -> None:
    sketch = Distinct()
    sketch.add(np.array([3 << 52, 1 << 51], dtype=np.uint64))
    assert (sketch.registers[3], sketch.registers[0]) == (53, 52)
