"""The transforms of one variant over rows of the one that it starts from, file by file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from threading import Lock

import numpy as np
import pyarrow as pa

from modelyard_loader.record.ways import Way
from modelyard_loader.transforms.engine import Engine, EngineError
from modelyard_loader.transforms.limits import Limits
from modelyard_loader.transforms.narrow import PLACE
from modelyard_loader.transforms.rows import Rows
from modelyard_runtime.columns import ARROW_TYPES
from modelyard_runtime.digest import in_key_order


class Stage:
    """A row-wise chain that is run again and again, in one thread."""

    def __init__(self, way: Way, database: Engine) -> None:
        self._chain = chain = way.chain
        self._narrow = narrow = way.narrow
        self._database = database
        types = {column.name: ARROW_TYPES[column.type] for column in chain.loaded}
        self._schema = pa.schema(
            [*(pa.field(name, types[name]) for name in narrow.read), pa.field(PLACE, pa.int32())]
        )
        self._rows: pa.Table | None = None
        self._engine = Engine(Rows(self._schema, self._batches), beside=database)

    def run(self, rows: pa.Table) -> pa.Table:
        """Rows of the variant, in key order. Raises DataError where the rows do not fit a transform."""
        found = self._narrow.answer.empty_table()
        if self._narrow.asks:
            try:
                found = self._asked(rows)
            except EngineError:
                # Asked as a whole, the chain says which of its transforms failed.
                with closing(Engine(rows, beside=self._database)) as engine:
                    return self._chain.run(engine)
            if found.num_rows < rows.num_rows:
                rows = rows.select(list(self._narrow.kept.values())).take(found.column(PLACE))
        columns = [
            rows.column(self._narrow.kept[name]) if name in self._narrow.kept else found.column(name)
            for name in self._chain.schema.names
        ]
        return in_key_order(pa.Table.from_arrays(columns, schema=self._chain.schema), self._chain.key)

    def close(self) -> None:
        """Gives back what the engine holds."""
        self._engine.close()

    def _asked(self, rows: pa.Table) -> pa.Table:
        """The answer, in the order of the rows."""
        self._rows = rows
        batches = [batch.cast(self._narrow.answer) for batch in self._engine.stream(self._narrow.text)]
        self._rows = None
        found = pa.Table.from_batches(batches, schema=self._narrow.answer)
        places = found.column(PLACE).to_numpy()
        return found if (np.diff(places) > 0).all() else found.take(np.argsort(places))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._rows is not None:
            places = pa.array(np.arange(self._rows.num_rows, dtype=np.int32))
            read = self._rows.select(list(self._narrow.read)).append_column(self._schema.field(PLACE), places)
            yield from read.to_batches()


class Stages:
    """Makes the stages of all workers, over one database."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._database: Engine | None = None

    def stage(self, way: Way) -> Stage:
        """The transforms of a variant."""
        with self._lock:
            if self._database is None:
                self._database = Engine(way.chain.schema.empty_table(), self._limits)
            return Stage(way, self._database)

    def close(self) -> None:
        """Closes the database; all stages must be closed."""
        if self._database is not None:
            self._database.close()
