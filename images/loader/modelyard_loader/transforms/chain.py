"""A chain of transforms as one query, built step by step so that an error knows where it stands in the spec."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
from sqlglot import exp

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_loader.transforms import compiled
from modelyard_loader.transforms.engine import SOURCE, Engine, EngineError
from modelyard_loader.transforms.relation import Made, Relation, column_ref, table_ref
from modelyard_runtime.errors import DataError


@dataclass(frozen=True)
class ChainStep:
    """One transform as a named part of the query."""

    name: str
    path: str
    made: Made


@dataclass(frozen=True)
class Chain:
    """The transforms from the loaded rows to a variant."""

    key: tuple[str, ...]
    loaded: tuple[Column, ...]
    """Columns of the loaded rows."""
    steps: tuple[ChainStep, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns after the last step."""
        return self.steps[-1].made.columns if self.steps else self.loaded

    def extended(self, variant: Variant, engine: Engine) -> Chain:
        """This chain and the transforms of a variant. Raises InvalidSpecError with the transform's path."""
        chain = self
        for number, transform in enumerate(variant.transforms):
            kind = next(iter(transform.to_wire()))
            path = f"spec.variants {variant.name}.transforms[{number}].{kind}"
            made = compiled(transform, chain._relation(path, engine))
            step = ChainStep(f"step{len(chain.steps) + 1}", path, made)
            chain = replace(chain, steps=(*chain.steps, step))
        return chain

    def run(self, engine: Engine) -> pa.Table:
        """Rows of the variant in key order. Raises DataError with the path of the first transform that they do not fit."""
        try:
            return engine.run(self._query())
        except EngineError as error:
            raise DataError(
                f"a value does not fit ({error})",
                field=self._culprit(engine),
                remedy="filter such rows out before, or use try_cast, which gives null",
            ) from error

    def _relation(self, path: str, engine: Engine) -> Relation:
        def sql_type(expression: exp.Expression) -> str:
            return engine.type_of(self._after(exp.select(expression)), path)

        return Relation(self._last, self.key, self.columns, path, sql_type)

    @property
    def _last(self) -> str:
        return self.steps[-1].name if self.steps else SOURCE

    def _after(self, select: exp.Select) -> exp.Select:
        """A SELECT over the rows of the last step, with all steps before it."""
        whole = select.from_(table_ref(self._last))
        for step in self.steps:
            whole = whole.with_(step.name, step.made.select, materialized=step.made.fewer_rows or None)
        return whole

    def _query(self) -> exp.Select:
        wanted = exp.select(*(column_ref(column.name) for column in self.columns))
        return self._after(wanted).order_by(*(column_ref(name) for name in self.key))

    def _culprit(self, engine: Engine) -> str:
        """Path of the first step that fails on the rows."""
        for count, step in enumerate(self.steps, start=1):
            try:
                engine.run(replace(self, steps=self.steps[:count])._query())  # noqa: SLF001  of its own kind
            except EngineError:
                return step.path
        return self.steps[-1].path
