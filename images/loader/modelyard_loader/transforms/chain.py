"""A chain of transforms as one query, built step by step so that an error knows where it stands in the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
from sqlglot import exp

from modelyard_api.contract.manifest import Column, Learned
from modelyard_api.v1alpha1.transforms import Transform, Variant
from modelyard_loader.suggestions import use_one_of
from modelyard_loader.transforms import compiled, is_fitted, is_row_wise
from modelyard_loader.transforms.engine import MARKED, SOURCE, Engine, EngineError
from modelyard_loader.transforms.guards import refused
from modelyard_loader.transforms.relation import (
    Made,
    Note,
    Part,
    Relation,
    Side,
    column_ref,
    named,
    table_ref,
)
from modelyard_loader.transforms.rows import HELD_OUT
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.errors import DataError, InvalidSpecError, StepError

_BASE = "loaded rows"
"""Name under which SQL finds the rows that the first variant starts from."""


@dataclass(frozen=True)
class ChainStep:
    """One transform as a named part of the query."""

    name: str
    path: str
    made: Made
    transform: Transform
    needs: tuple[ChainStep, ...] = ()
    """Steps of another variant that it joins."""

    @property
    def fitted(self) -> bool:
        """Whether it, or a step of what it joins, looks at which rows are held out."""
        return is_fitted(self.transform) or any(step.fitted for step in self.needs)

    def notes(self) -> Iterator[Note]:
        """What it, and the steps of what it joins, learn."""
        for step in self.needs:
            yield from step.notes()
        yield from self.made.notes

    def parts(self) -> Iterator[Part]:
        """Named parts of the query, each after those that it reads."""
        for step in self.needs:
            yield from step.parts()
        yield from self.made.helpers
        yield Part(self.name, self.made.select)


@dataclass(frozen=True)
class Chain:
    """The transforms from the loaded rows to a variant."""

    key: tuple[str, ...]
    """Columns that name a row of the variant."""
    loaded: tuple[Column, ...]
    """Columns of the loaded rows."""
    steps: tuple[ChainStep, ...] = ()
    origin: tuple[str, ...] = field(default=())
    """Columns that name the row that a row comes from, by which the split is made."""
    base: str = _BASE
    """Name under which SQL finds the rows that it starts from."""

    def __post_init__(self) -> None:
        if not self.origin:
            object.__setattr__(self, "origin", self.key)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns after the last step."""
        return self.steps[-1].made.columns if self.steps else self.loaded

    @property
    def row_wise(self) -> bool:
        """Whether each row of the variant depends on one loaded row alone."""
        return all(is_row_wise(step.transform) for step in self.steps)

    @property
    def fitted(self) -> bool:
        """Whether it must be known which rows are held out."""
        return any(step.fitted for step in self.steps)

    @property
    def label(self) -> str | None:
        """Column whose values are classes, where a transform names one and it is still there."""
        names = [step.transform.balance.column for step in self.steps if step.transform.balance is not None]
        present = [name for name in names if name in {column.name for column in self.columns}]
        return present[-1] if present else None

    def extended(self, variant: Variant, engine: Engine, earlier: Mapping[str, Chain] | None = None) -> Chain:
        """This chain and the transforms of a variant; ``earlier`` are the variants before it in the list.

        Raises InvalidSpecError with the transform's path.
        """
        chain = self
        for number, transform in enumerate(variant.transforms):
            kind = next(iter(transform.to_wire()))
            path = f"spec.variants {variant.name}.transforms[{number}].{kind}"
            name = f"{variant.name} {number + 1}"
            chain = chain._with(transform, name, path, engine, earlier or {})
        return chain

    def after(self, parent: Chain) -> Chain:
        """What it does to the rows of one that it was made of."""
        return replace(
            self, loaded=parent.columns, steps=self.steps[len(parent.steps) :], base=parent.side.name
        )

    def run(self, engine: Engine) -> pa.Table:
        """Rows of the variant in key order, all in memory. Raises what ``batches`` raises."""
        batches = list(self.batches(engine, ordered=True))
        return pa.Table.from_batches(batches, schema=self.schema)

    def batches(self, engine: Engine, *, ordered: bool = False) -> Iterator[pa.RecordBatch]:
        """Rows of the variant in canonical types, in key order or in any. Another query can run after the last.

        Raises DataError with the path of the first transform that the rows do not fit, and what their reading raises.
        """
        try:
            for batch in engine.stream(self._query(engine, ordered=ordered)):
                yield batch.cast(self.schema)
        except EngineError as error:
            raise self._explained(str(error), engine) from error

    def learned(self, engine: Engine) -> list[Learned]:
        """What the steps have found in the training part, once the rows were read to their end."""
        notes = dict.fromkeys(note for step in self.steps for note in step.notes())
        return list(engine.notes.learned(notes))

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the rows."""
        return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in self.columns])

    def _with(
        self, transform: Transform, name: str, path: str, engine: Engine, earlier: Mapping[str, Chain]
    ) -> Chain:
        joined = transform.join.variant if transform.join is not None else None
        if joined is not None and joined not in earlier:
            raise InvalidSpecError(
                "is not an earlier variant",
                field=f"{path}.variant",
                value=joined,
                remedy=use_one_of(joined, list(earlier)) if earlier else "declare it before this one",
            )
        relation = Relation(
            name=self._last,
            target=name,
            key=self.key,
            columns=self.columns,
            path=path,
            types_of=lambda select: engine.types_of(select, path),
            marked=self.steps[-1].made.marked if self.steps else True,
            sides={joined: earlier[joined].side} if joined else {},
        )
        made = compiled(transform, relation)
        step = ChainStep(name, path, made, transform, earlier[joined].steps if joined else ())
        return replace(
            self,
            steps=(*self.steps, step),
            key=made.key or self.key,
            origin=made.origin or self.origin,
        )

    @property
    def side(self) -> Side:
        """The chain as another one joins it."""
        return Side(self._last, self.key, self.columns)

    @property
    def _last(self) -> str:
        return self.steps[-1].name if self.steps else self.base

    def _query(self, engine: Engine, *, ordered: bool) -> exp.Select:
        parts = {self.base: Part(self.base, self._base(engine))}
        for step in self.steps:
            parts.update({part.name: part for part in step.parts()})
        whole = query_of(exp.select(*(column_ref(column.name) for column in self.columns)), [*parts.values()])
        return whole.order_by(*(column_ref(name) for name in self.key)) if ordered else whole

    def _base(self, engine: Engine) -> exp.Select:
        """The loaded rows, with the mark of those that are held out if a step asks for it."""
        names = [column_ref(column.name) for column in self.loaded]
        if not self.fitted:
            return exp.select(*names, named(exp.false(), HELD_OUT)).from_(table_ref(SOURCE))
        if engine.rows.held_out is None:
            raise StepError("a transform is fitted, but nothing says which rows are held out")
        return exp.select(*names, column_ref(HELD_OUT)).from_(table_ref(MARKED))

    def _explained(self, message: str, engine: Engine) -> DataError:
        known = refused(message)
        if known is not None:
            return known
        return DataError(
            f"a value does not fit ({message})",
            field=self._culprit(engine),
            remedy="filter such rows out before, or use try_cast, which gives null",
        )

    def _culprit(self, engine: Engine) -> str:
        """Path of the first step that fails on the rows."""
        for count, step in enumerate(self.steps, start=1):
            part = replace(self, steps=self.steps[:count], key=self.key)
            try:
                for _ in engine.stream(part._query(engine, ordered=False)):  # noqa: SLF001  of its own kind
                    pass
            except EngineError:
                return step.path
        return self.steps[-1].path


def query_of(select: exp.Select, parts: Sequence[Part]) -> exp.Select:
    """One query of the parts of which each reads those before it, and a SELECT from the last."""
    select.set("with_", exp.With(expressions=[_common_table(part) for part in parts]))
    return select.from_(table_ref(parts[-1].name))


def _common_table(part: Part) -> exp.CTE:
    alias = exp.TableAlias(this=exp.to_identifier(part.name, quoted=True))
    return exp.CTE(this=part.select.copy(), alias=alias, materialized=part.kept or None)
