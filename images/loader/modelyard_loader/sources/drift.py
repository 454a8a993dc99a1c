"""Columns that a source should have and those that it has: refused with every difference named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_loader.sources.values import Target
from modelyard_loader.suggestions import use_one_of
from modelyard_runtime.errors import DataError, InvalidSpecError

_SHOWN = 10


@dataclass(frozen=True)
class Wanted:
    """A column that is read, and what its values shall become."""

    name: str
    target: Target


@dataclass(frozen=True)
class Difference:
    """How one column is another than it should be; ``what`` is a clause about it."""

    column: str
    what: str


def refuse(differences: Sequence[Difference], where: str) -> NoReturn:
    """Raises the DataError that shows the differences column by column."""
    shown = [f"{each.column} {each.what}" for each in differences[:_SHOWN]]
    if len(differences) > _SHOWN:
        shown.append(f"and {len(differences) - _SHOWN} more")
    raise DataError(
        f"the columns are not those of the first load: {'; '.join(shown)}",
        field=where,
        remedy="restore the source, or say in spec.columns which columns and types are wanted from now on",
    )


def check_frozen(
    wanted: Sequence[Wanted], names: Sequence[str], types: Mapping[str, ColumnType], where: str
) -> None:
    """Raises DataError where a column is missing, new, or of a type whose values are others."""
    present, known = set(names), {each.name for each in wanted}
    differences = [Difference(each.name, "is missing") for each in wanted if each.name not in present]
    differences += [Difference(name, "is new") for name in names if name not in known]
    for each in wanted:
        told, was = types.get(each.name), each.target.type
        widened = told is ColumnType.INTEGER and was is ColumnType.NUMBER
        if told is not None and told is not was and not widened:
            differences.append(Difference(each.name, f"is {told}, was {was}"))
    if differences:
        refuse(differences, where)


def check_declared(wanted: Sequence[Wanted], names: Sequence[str], key: Sequence[str], where: str) -> None:
    """Raises DataError where a declared column is missing, InvalidSpecError where a column of the key is not declared."""
    declared = {each.name for each in wanted}
    for each in wanted:
        if each.name not in names:
            raise DataError(
                f"is declared in spec.columns, and {where} does not have it",
                field=f"column {each.name}",
                remedy=use_one_of(each.name, names),
            )
    left_out = [name for name in key if name in names and name not in declared]
    if left_out:
        raise InvalidSpecError(
            f"leaves out {left_out[0]}, which spec.primaryKey names",
            field="spec.columns",
            remedy=f"add {left_out[0]} with its type",
        )
