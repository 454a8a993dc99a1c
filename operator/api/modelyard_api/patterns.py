r"""Regular expressions that take time without end: Python tries every way to cut a text into pieces before it gives up.

Thirty letters are enough for hours, in which the process does nothing else. Found are patterns that repeat something which
itself can be repeated, or chosen, in several ways over one and the same character, such as ``(\w+)+!`` or ``(a|aa)*b``. What
takes time in proportion to a power of the text's length is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Item = tuple[Any, Any]
"""An operation of a parsed pattern and what belongs to it."""

_MANY = 8
"""What is repeated fewer times does not explode."""
_MOST_WAYS = 64
"""A pattern with more ways is not followed further."""
_CHARACTERS = (*map(chr, range(0x180)), *"\u0660\u2003\u0301\u2603\u4e2d")
_ALL = (1 << len(_CHARACTERS)) - 1
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT"})
_CATEGORIES: Mapping[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda character: character.isalnum() or character == "_",
}


@dataclass(frozen=True)
class _Way:
    """One way to match a part of a pattern."""

    common: int = _ALL
    """Characters, as bits, that could stand in all places at once."""
    variable: int = 0
    """Characters of which it takes more or fewer, as it likes."""
    takes: bool = False
    """Whether it takes any character."""
    bound: bool = False
    """Whether something but the characters themselves decides: a border, a look-around, a group that is not given back."""

    def then(self, other: _Way) -> _Way:
        """Both, one after the other."""
        return _Way(
            self.common & other.common,
            self.variable | other.variable,
            self.takes or other.takes,
            self.bound or other.bound,
        )


def explodes(pattern: str) -> bool:
    """Whether a text could be found on which the pattern takes time without end; False for one that cannot be read.

    Also True for one that is nested too deep to be told.
    """
    try:
        parsed: Sequence[Item] = list(import_module("re._parser").parse(pattern))
    except (re.error, OverflowError, RecursionError):
        return False
    try:
        return _explodes(parsed, follows=False)
    except RecursionError:
        return True


def _explodes(items: Sequence[Item], *, follows: bool) -> bool:
    """``follows`` says that something may fail behind the items, which makes Python try the next way."""
    for at, (operation, content) in enumerate(items):
        behind = follows or any(_may_fail(item) for item in items[at + 1 :])
        name = str(operation)
        if name in _REPEATS:
            _, most, body = content
            if behind and most >= _MANY and _is_ambiguous(_ways(list(body))):
                return True
            inner = [list(body)]
        elif name == "SUBPATTERN":
            inner = [list(content[3])]
        elif name == "BRANCH":
            inner = [list(alternative) for alternative in content[1]]
        elif name in {"ASSERT", "ASSERT_NOT"}:
            inner, behind = [list(content[1])], False
        else:
            continue
        if any(_explodes(each, follows=behind) for each in inner):
            return True
    return False


def _is_ambiguous(ways: Sequence[_Way]) -> bool:
    """Whether a run of one character can be cut in several ways."""
    usable = [way for way in ways if way.takes and not way.bound]
    if any(way.variable & way.common for way in usable):
        return True
    return any(way.common & other.common for at, way in enumerate(usable) for other in usable[at + 1 :])


def _may_fail(item: Item) -> bool:
    if str(item[0]) == "AT":
        # Whoever takes as many letters as there are always ends at a border.
        return str(item[1]) != "AT_BOUNDARY"
    return not any(not way.takes and not way.bound for way in _ways([item]))


def _ways(items: Sequence[Item]) -> list[_Way]:
    """All ways to match items one after the other; one that is bound where there are too many to follow."""
    found = [_Way()]
    for item in items:
        found = [way.then(other) for way in found for other in _ways_of(item)]
        if len(found) > _MOST_WAYS:
            return [_Way(takes=True, bound=True)]
    return found


def _ways_of(item: Item) -> list[_Way]:
    name, content = str(item[0]), item[1]
    if name in _REPEATS:
        return _repeated(*content)
    if name == "SUBPATTERN":
        return _ways(list(content[3]))
    if name == "BRANCH":
        return [way for alternative in content[1] for way in _ways(list(alternative))]
    characters = _characters(name, content)
    return [_Way(bound=True)] if characters is None else [_Way(characters, takes=True)]


def _repeated(least: int, most: int, body: Any) -> list[_Way]:  # noqa: ANN401  a parsed pattern has no public type
    found = [
        _Way(way.common, way.variable | (way.common if most > max(1, least) else 0), way.takes, way.bound)
        for way in _ways(list(body))
    ]
    return found if least else [_Way(), *found]


def _characters(name: str, content: Any) -> int | None:  # noqa: ANN401
    """The characters that one place takes, as bits; None for what takes none."""
    if name == "ANY":
        return _ALL
    if name == "LITERAL":
        return _bits(lambda character: ord(character) == content)
    if name == "NOT_LITERAL":
        return _bits(lambda character: ord(character) != content)
    if name == "RANGE":
        return _bits(lambda character: content[0] <= ord(character) <= content[1])
    if name == "CATEGORY":
        plain = str(content).replace("_NOT_", "_")
        known = _CATEGORIES.get(plain)
        if known is None:
            return None
        return _bits(known) if plain == str(content) else _ALL & ~_bits(known)
    if name == "IN":
        return _one_of(content)
    return None


def _one_of(content: Sequence[Item]) -> int:
    found = 0
    for operation, part in content:
        found |= _characters(str(operation), part) or 0
    return _ALL & ~found if content and str(content[0][0]) == "NEGATE" else found


def _bits(holds: Callable[[str], bool]) -> int:
    return sum(1 << at for at, character in enumerate(_CHARACTERS) if holds(character))
