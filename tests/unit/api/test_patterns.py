"""Patterns that take time without end are told from those that only look like them."""

import re
import time

import pytest

from modelyard_api.patterns import explodes

ENDLESS = (
    r"(\w+)+!",
    r"(\w+)*!",
    r"(?u)\b(?:\w+\s*)+$",
    r"(a|aa)*b",
    r"(?:a|a?)+b",
    r"(?:\w\w?)+!",
    r"(\w+\w+)*!",
    r"((a+)b?)*c",
    r"(?:[a-z]+|[0-9]+)*!",
    r"(?P<word>[^\W\d]+)*?!",
    r"x(?:(?:a+)+b|c)",
    r"(?:.*)*x",
    r"(?=(a+)+$)a",
    r"(?:\w+_?){1,}@",
)
SOUND = (
    r"(?u)\b\w\w+\b",
    r"(?u)\b\w+(?:['-]\w+)*\b",
    r"[A-Za-z]+(?:\.[A-Za-z]+)*",
    r"(?:[A-Z]\.)+",
    r"\d+(?:[.,]\d+)*%?",
    r"[\w.+-]+@[\w-]+\.[\w.]+",
    r"(?:\w|\d)*x",
    r"(?:ab?)*c",
    r"(?:a|b)+c",
    r"(\w+)+",
    r"(?:\w+-?)+\b",
    r"(?>a+)*b",
    r"(?:a++)*b",
    r"(?:\b\w+\b)*x",
    r"(?:a+){1,3}b",
    r"\S+",
    r"",
    r"(",
    r"a{99999999999999999999}",
)


@pytest.mark.parametrize("pattern", ENDLESS)
def test_a_pattern_that_takes_time_without_end_is_found(pattern: str) -> None:
    assert explodes(pattern)


@pytest.mark.parametrize("pattern", SOUND)
def test_a_pattern_that_does_not_is_left_alone(pattern: str) -> None:
    assert not explodes(pattern)


@pytest.mark.parametrize("pattern", [r"(\w+)+!", r"(a|aa)*b", r"(?:\w\w?)+!", r"(?:\w+\s*)+$"])
def test_what_is_found_takes_several_times_as_long_for_each_few_letters_more(pattern: str) -> None:
    def seconds(letters: int) -> float:
        start = time.perf_counter()
        re.match(pattern, "a" * letters + "\x00")
        return time.perf_counter() - start

    assert seconds(22) > 4 * seconds(14)


@pytest.mark.parametrize(
    "pattern", [pattern for pattern in SOUND if pattern and not pattern.startswith(("(", "a{"))]
)
def test_what_is_not_found_ends_on_long_texts(pattern: str) -> None:
    for text in ("a" * 2000 + "\x00", "a-" * 1000, "1.2," * 500, "A." * 1000):
        start = time.perf_counter()
        re.findall(pattern, text)
        assert time.perf_counter() - start < 2


def test_a_pattern_of_very_many_ways_is_judged_in_no_time() -> None:
    start = time.perf_counter()
    explodes("(" + "a?b?c?d?" * 50 + ")*x")
    assert explodes("(?:" * 400 + "a+" + ")+" * 400 + "b")
    explodes("(" * 80 + "a+" + ")+" * 80 + "b")
    assert time.perf_counter() - start < 2
