"""Names beside the one that was not found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_SHOWN = 3
_LISTED = 12


def similar(name: str, known: Iterable[str]) -> list[str]:
    """Known names that look like ``name``, the likest first; case does not count."""
    by_folded = {each.casefold(): each for each in known}
    close = get_close_matches(name.casefold(), by_folded, n=_SHOWN, cutoff=0.65)
    return [by_folded[each] for each in close]


def use_one_of(name: str, known: Sequence[str]) -> str:
    """Remedy for an unknown name: the similar ones, else the first of all."""
    close = similar(name, known)
    if close:
        return f"did you mean {' or '.join(close)}?"
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"there are {', '.join(known[:_LISTED])}{more}"
