"""Writes the catalog so that a new version of a library shows as a difference of lines."""

from __future__ import annotations

import json

from modelyard_api.catalog.model import Catalog, CatalogClass

_BETWEEN = ",\n"


def render(catalog: Catalog) -> str:
    """JSON with one line a parameter, classes sorted by name."""
    classes = _BETWEEN.join(map(_block, sorted(catalog.classes, key=lambda known: known.name)))
    libraries = json.dumps(catalog.libraries, sort_keys=True)
    refused = json.dumps(catalog.refused, sort_keys=True, indent=1)
    return f'{{"libraries": {libraries},\n"classes": [\n{classes}\n],\n"refused": {refused}}}\n'


def _block(known: CatalogClass) -> str:
    document = known.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    parameters = [json.dumps(parameter) for parameter in document.pop("parameters")]
    head = json.dumps(document)[1:-1]
    lines = f"\n{_BETWEEN.join(parameters)}\n" if parameters else ""
    return f'{{{head}, "parameters": [{lines}]}}'
