"""The rules of a Dataset, checked against the columns of its variants before anything is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.validation import Rule
from modelyard_loader.suggestions import use_one_of
from modelyard_loader.validation.counting import Count, Place
from modelyard_loader.validation.kinds import KINDS
from modelyard_runtime.errors import InvalidSpecError


@dataclass(frozen=True)
class Judged:
    """A variant that rules are about."""

    name: str
    parent: str | None
    key: tuple[str, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class PlannedRule:
    """A rule that fits the columns, and how its number is found."""

    rule: Rule
    label: str
    """Name in reports; no other rule of the variant has it."""
    path: str
    variant: str
    count: Count


@dataclass(frozen=True)
class Rulebook:
    """All rules, in the order of the spec."""

    rules: tuple[PlannedRule, ...]
    parents: Mapping[str, str | None]
    """Which variant each one starts from; the first ones start from none."""

    def of(self, variant: str) -> tuple[PlannedRule, ...]:
        """Rules about a variant."""
        return tuple(planned for planned in self.rules if planned.variant == variant)


def rulebook(rules: Sequence[Rule], variants: Sequence[Judged]) -> Rulebook:
    """Checks and compiles the rules. Raises InvalidSpecError with the path of the first that does not fit."""
    by_name = {variant.name: variant for variant in variants}
    used: Counter[tuple[str, str]] = Counter()
    planned = []
    for number, rule in enumerate(rules):
        path = f"spec.validation[{number}]"
        variant = by_name.get(rule.variant or variants[0].name)
        if variant is None:
            raise InvalidSpecError(
                "is not a variant of this Dataset",
                field=f"{path}.variant",
                value=rule.variant,
                remedy=use_one_of(rule.variant or "", list(by_name)),
            )
        place = Place(path, variant.name, variant.key, variant.columns)
        count = KINDS[rule.rule](rule, place)
        used[variant.name, rule.label] += 1
        label = _unique(rule.label, used[variant.name, rule.label])
        planned.append(PlannedRule(rule, label, path, variant.name, count))
    return Rulebook(tuple(planned), {variant.name: variant.parent for variant in variants})


_LABEL_LIMIT = 120


def _unique(label: str, uses: int) -> str:
    cut = label if len(label) <= _LABEL_LIMIT else label[: _LABEL_LIMIT - 1] + "…"
    return cut if uses == 1 else f"{cut} #{uses}"
