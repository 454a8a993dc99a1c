"""Chains of transforms as the loader makes them of a Dataset's variants."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from modelyard_api.v1alpha1.dataset import Split
from modelyard_loader.transforms.chain import Chain
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.limits import Limits
from modelyard_loader.transforms.rows import Rows
from modelyard_runtime.columns import canonical_columns, to_canonical
from modelyard_runtime.split import SplitLine
from tests.support.loading import variants

SPLIT = Split(seed=7)


def marked(
    table: pa.Table, key: Sequence[str] = ("id",), split: Split = SPLIT, batch_rows: int = 1000
) -> Rows:
    """Rows that know which of them are held out."""
    canonical = to_canonical(table)
    line = SplitLine(split, tuple(key))
    return Rows(
        canonical.schema,
        lambda: canonical.to_batches(max_chunksize=batch_rows),
        line.mask,
    )


def held_out(table: pa.Table, origin: Sequence[str], split: Split = SPLIT) -> np.ndarray:
    """Which rows of a version are held out."""
    return SplitLine(split, tuple(origin)).mask(table)


def chains(engine: Engine, documents: Sequence[object], key: Sequence[str] = ("id",)) -> dict[str, Chain]:
    """The chain of each variant."""
    root = Chain(tuple(key), tuple(canonical_columns(engine.rows.schema)))
    made: dict[str, Chain] = {}
    for variant in variants(documents):
        parent = made[variant.from_] if variant.from_ else root
        made[variant.name] = parent.extended(variant, engine, made)
    return made


def built(
    rows: Rows | pa.Table, *transforms: object, key: Sequence[str] = ("id",), threads: int = 1
) -> tuple[pa.Table, Chain]:
    """Rows of a variant with these transforms, in key order, and its chain."""
    return built_last(rows, [{"name": "v", "transforms": list(transforms)}], key=key, threads=threads)


def built_last(
    rows: Rows | pa.Table, documents: Sequence[object], *, key: Sequence[str] = ("id",), threads: int = 1
) -> tuple[pa.Table, Chain]:
    """Rows of the last of some variants, and its chain."""
    engine = Engine(rows, Limits(threads=threads))
    try:
        chain = list(chains(engine, documents, key).values())[-1]
        return chain.run(engine), chain
    finally:
        engine.close()
