"""What a trainer runs on, as far as it can change a model."""

from __future__ import annotations

import platform
import re
from importlib.metadata import distributions

from modelyard_api.contract.bundle import Library

_SEPARATORS = re.compile(r"[-_.]+")


def installed() -> list[Library]:
    """Python and every installed package by its normalised name (PEP 503), in order."""
    # Each look at an item's metadata reads and parses its file anew.
    read = (item.metadata for item in distributions())
    found = {
        _SEPARATORS.sub("-", metadata["Name"]).lower(): metadata["Version"]
        for metadata in read
        if metadata["Name"]
    }
    return [
        Library(name="python", version=platform.python_version()),
        *(Library(name=name, version=version) for name, version in sorted(found.items())),
    ]
