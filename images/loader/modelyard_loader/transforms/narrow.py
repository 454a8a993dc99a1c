"""What a row-wise chain has to ask the engine: the values that it computes and which rows stay, and nothing that passes by.

Columns that a chain leaves as they are need not go through the engine and back, which takes longer than most of what
is asked there. The query names each row by its place, so that they can be taken from the rows that went in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_loader.transforms.chain import Chain, query_of
from modelyard_loader.transforms.engine import SOURCE
from modelyard_loader.transforms.relation import DIALECT, Part, column_ref, table_ref
from modelyard_loader.transforms.rows import HELD_OUT
from modelyard_runtime.columns import ARROW_TYPES

PLACE = "row place"
"""Column with the number of a row among those that go in; no name of a user's column can have a blank."""


@dataclass(frozen=True)
class Narrow:
    """A row-wise chain, taken apart."""

    columns: tuple[Column, ...]
    """Columns of the variant."""
    kept: Mapping[str, str]
    """Of these, those with the values of a column that goes in, and which."""
    read: tuple[str, ...]
    """Columns that the query reads, besides the place."""
    filtered: bool
    """Whether rows may be left out."""
    text: str
    """The query: the place, then what is computed."""

    @property
    def made(self) -> tuple[Column, ...]:
        """Columns that are computed."""
        return tuple(column for column in self.columns if column.name not in self.kept)

    @property
    def asks(self) -> bool:
        """Whether there is anything to ask."""
        return self.filtered or bool(self.made)

    @property
    def answer(self) -> pa.Schema:
        """Arrow schema of what the query gives."""
        made = [pa.field(column.name, ARROW_TYPES[column.type]) for column in self.made]
        return pa.schema([pa.field(PLACE, pa.int32()), *made])

    @property
    def unchanged(self) -> frozenset[str]:
        """Columns that are the same in every row that goes in, none if rows may be left out."""
        if self.filtered:
            return frozenset()
        return frozenset(name for name, source in self.kept.items() if name == source)


def narrowed(chain: Chain) -> Narrow:
    """The chain, taken apart. Each of its transforms makes a row of one row that goes in."""
    selects = {step.name: step.made.select for step in chain.steps}
    sources: Mapping[str, str | None] = {column.name: column.name for column in chain.loaded}
    for select in selects.values():
        sources = {each.alias_or_name: _source(each, sources) for each in _values(select)}
    wanted: Collection[str] = {name for name, source in sources.items() if source is None}
    parts: list[Part] = []
    for name, select in reversed(selects.items()):
        part = _only(select, wanted)
        wanted = {ref.name for ref in part.find_all(exp.Column)} - {PLACE}
        parts.insert(0, Part(name, part))
    read = tuple(column.name for column in chain.loaded if column.name in wanted)
    made = [column.name for column in chain.columns if sources[column.name] is None]
    base = exp.select(*(column_ref(name) for name in (*read, PLACE))).from_(table_ref(SOURCE))
    whole = exp.select(*(column_ref(name) for name in (PLACE, *made)))
    return Narrow(
        columns=chain.columns,
        kept={name: source for name, source in sources.items() if source is not None},
        read=read,
        filtered=any(select.args.get("where") is not None for select in selects.values()),
        text=query_of(whole, [Part(chain.base, base), *parts]).sql(DIALECT),
    )


def _values(select: exp.Select) -> Iterator[exp.Expr]:
    for each in select.expressions:
        if each.alias_or_name != HELD_OUT:
            yield each


def _source(value: exp.Expr, sources: Mapping[str, str | None]) -> str | None:
    """The column that goes in whose values these are; None if they are computed."""
    plain = value.this if isinstance(value, exp.Alias) else value
    return sources[plain.name] if isinstance(plain, exp.Column) else None


def _only(select: exp.Select, names: Collection[str]) -> exp.Select:
    """The SELECT with these of its values and the place."""
    few = select.copy()
    kept: Sequence[exp.Expr] = [each for each in _values(few) if each.alias_or_name in names]
    few.set("expressions", [*kept, column_ref(PLACE)])
    return few
