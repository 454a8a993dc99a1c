"""How many threads the parts of a model use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import lru_cache

import numpy as np
from sklearn.base import BaseEstimator
from threadpoolctl import ThreadpoolController

_BOOSTERS = ("lightgbm.", "xgboost.")


def limited_to(count: int) -> AbstractContextManager[object]:
    """Pools of compiled libraries use this many threads for the time of the block."""
    limit: AbstractContextManager[object] = _pools(len(sys.modules)).limit(limits=count)
    return limit


@lru_cache(maxsize=1)
def _pools(modules: int) -> ThreadpoolController:
    """Looked for again only after more was imported: reading the process's memory map takes longer than a small fit."""
    del modules
    return ThreadpoolController()


def set_threads(model: BaseEstimator, count: int | None) -> None:
    """Gives every part that was given threads this many; None is one.

    Fitted copies count too: an ensemble keeps them beside the estimators that it was made with.
    """
    for part in _parts(model):
        if getattr(part, "n_jobs", None) is not None:
            part.n_jobs = count


def sum_in_order(model: BaseEstimator) -> None:
    """Gives one thread to the parts whose answers are sums over threads, so that the same rows get the same bits.

    Boosters add up the trees of a row in their order whatever their threads, and keep those that they were given.
    """
    for part in _parts(model):
        if getattr(part, "n_jobs", None) is not None and not type(part).__module__.startswith(_BOOSTERS):
            part.n_jobs = None


def _parts(model: BaseEstimator) -> Iterator[BaseEstimator]:
    """Every estimator that hangs below the model, each once."""
    seen: set[int] = set()
    pending: list[object] = [model]
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, list | tuple):
            pending.extend(part)
        elif isinstance(part, np.ndarray) and part.dtype == object:
            pending.extend(part.ravel().tolist())
        elif isinstance(part, BaseEstimator) or type(part).__module__.startswith("sklearn."):
            if isinstance(part, BaseEstimator):
                yield part
            pending.extend(vars(part).values() if hasattr(part, "__dict__") else ())
