"""The compiled twin of a model: made and certified at the end of training, on rows that the model was not fitted on."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline
from threadpoolctl import threadpool_limits

from modelyard_api.contract.bundle import TWIN_FILE, Certificate
from modelyard_api.v1alpha1.training_job import Compiled
from modelyard_runtime.twin import certified
from modelyard_trainer.data import Part

TAG_COMPILED = "modelyard.dev/compiled"
"""JSON of what the status says of the program, so that an answer given again says it too."""

_MOST_ROWS = 20_000
"""More would cost as much as the evaluation and tell no more."""
_MOST_BYTES = 512 * 1024 * 1024
"""Servers refuse bundles whose files are larger than they may hold; a model without its program they do not."""
_REASON_LIMIT = 256

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Twin:
    """What a bundle holds of the compiled program."""

    certificate: Certificate
    files: Mapping[str, bytes]
    """The program; empty where it may not be used."""


def twin_of(model: FittablePipeline, test: Part) -> Twin:
    """The program of a fitted model whose steps use one thread, compared with it on the test part.

    Costs time but never the training: where there is no program, or one that answers differently, that is said.
    """
    started = time.monotonic()
    with threadpool_limits(limits=1):
        program, certificate = certified(model, _spread(test.X))
    if program is None:
        _log.info("no compiled program is used: %s", certificate.reason)
        return Twin(certificate, {})
    content = program.dump()
    if len(content) > _MOST_BYTES:
        reason = f"the program has {len(content)} bytes, at most {_MOST_BYTES} are stored"
        _log.info("no compiled program is used: %s", reason)
        return Twin(certificate.model_copy(update={"used": False, "reason": reason}), {})
    _log.info(
        "compiled to %d bytes in %.1f s; %d rows differ by %s at most",
        len(content),
        time.monotonic() - started,
        certificate.rows,
        certificate.max_delta,
    )
    return Twin(certificate, {TWIN_FILE: content})


def described(certificate: Certificate) -> Compiled:
    """What the status says of a certificate."""
    if not certificate.used:
        return Compiled(used=False, reason=certificate.reason[:_REASON_LIMIT])
    return Compiled(used=True, rows=certificate.rows, max_delta=certificate.max_delta)


def tags_of(certificate: Certificate | None) -> dict[str, str]:
    """The run's tag about the program."""
    if certificate is None:
        return {}
    return {TAG_COMPILED: described(certificate).model_dump_json(by_alias=True, exclude_none=True)}


def read_tag(tags: Mapping[str, str]) -> Compiled | None:
    """What ``tags_of`` said."""
    held = tags.get(TAG_COMPILED)
    return None if held is None else Compiled.model_validate_json(held)


def _spread(rows: np.ndarray) -> np.ndarray:
    """All rows, or as many as are compared, evenly from the first to the last."""
    if len(rows) <= _MOST_ROWS:
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, _MOST_ROWS).astype(np.int64)])
