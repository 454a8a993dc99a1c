"""What the containers of a pod with own code took, all together: they work one after the other."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from modelyard_api.contract.own_container import OWN_USE_FILE, PREPARED_USE_FILE
from modelyard_api.contract.used import Used
from modelyard_trainer import machine
from modelyard_trainer.own.places import Limits, first_fault, read_file

_LIMITS = Limits(files=1, bytes=4096)

_log = logging.getLogger(__name__)


def use_of_pod(meter: Path, judged: Used) -> Used | None:
    """Until now; None where own code was not measured, as without ``spec.container.command``.

    Raises OwnCodeError where own code put something else in the place of what was measured.
    """
    prepared, own = (_read(meter / name) for name in (PREPARED_USE_FILE, OWN_USE_FILE))
    if prepared is None or own is None:
        return None
    every = (prepared, own, judged, machine.used_so_far())
    return Used(
        cpu_seconds=round(sum(each.cpu_seconds for each in every), 2),
        peak_memory_bytes=max(each.peak_memory_bytes for each in every),
        seconds=round(sum(each.seconds for each in every), 2),
    )


def _read(path: Path) -> Used | None:
    content = read_file(path, _LIMITS)
    if content is None:
        return None
    try:
        return Used.model_validate_json(content)
    except ValidationError as error:
        _log.warning("what own code took is not known: %s: %s", path.name, first_fault(error))
        return None
