"""From which rows each of several row-wise variants is made, and what it has in common with the one that it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard_loader.record.planning import PlannedVariant
from modelyard_loader.transforms.chain import Chain
from modelyard_loader.transforms.narrow import Narrow, narrowed


@dataclass(frozen=True)
class Way:
    """How a variant is made."""

    start: str | None
    """The variant whose rows it is made of; None for the loaded rows."""
    holder: str | None
    """The variant whose rows are those of this one: itself, one before it, or None for the loaded rows."""
    chain: Chain
    """The transforms from the one to the other."""
    narrow: Narrow
    like: str | None
    """An earlier variant with the same rows, if there is one."""
    shared: frozenset[str]
    """Columns that have the same values in both."""
    extended: str | None
    """The variant that has the same rows and the first columns of this one, if there is one, and it has files of its own."""


def ways(planned: Sequence[PlannedVariant]) -> dict[str, Way]:
    """The way to each variant; a variant stands behind the one that it starts from, if that is among them."""
    found: dict[str, Way] = {}
    chains = {each.variant.name: each.chain for each in planned}
    for each in planned:
        parent = each.variant.from_
        before = found.get(parent) if parent is not None else None
        if before is None or parent is None:
            chain, start, like = each.chain, None, None
        else:
            chain, start, like = each.chain.after(chains[parent]), before.holder, parent
        narrow = narrowed(chain)
        shared = narrow.unchanged if like is not None else frozenset()
        if not shared.issuperset(chain.key):
            like = None
        first, new = chain.columns[: len(chain.loaded)], chain.columns[len(chain.loaded) :]
        known = first == chain.loaded and shared.issuperset(column.name for column in first)
        found[each.variant.name] = Way(
            start=start,
            holder=each.variant.name if chain.steps else start,
            chain=chain,
            narrow=narrow,
            like=like,
            shared=shared,
            extended=start if like is not None and known and new else None,
        )
    return found
