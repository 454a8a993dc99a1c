"""JSON schemas of all kinds that an API server knows, as kubeconform wants them: no download, and our own kinds too."""

import json
from pathlib import Path
from typing import Any

from tests.support.kubeapi import KubeApi
from tests.support.waiting import until

Schema = dict[str, Any]
_DEFINITIONS = "definitions.json"
LOCATION = "{{ .ResourceKind }}-{{ .Group }}-{{ .ResourceAPIVersion }}.json"
"""Pattern of the files' names, to be appended to their folder."""


def write_schemas(api: KubeApi, folder: Path, own_kinds: list[str]) -> None:
    """Writes one file for each kind, once the API server also publishes ours."""
    until(lambda: _publishes(api, own_kinds), 60, "our kinds being published")
    definitions = json.loads(api.text("/openapi/v2"))["definitions"]
    closed = {name: _strict(schema) for name, schema in definitions.items()}
    (folder / _DEFINITIONS).write_text(json.dumps({"definitions": closed}))
    for name, schema in definitions.items():
        for place in schema.get("x-kubernetes-group-version-kind", []):
            # The nameless group of the first kinds goes by its version.
            group = place["group"] or place["version"]
            file = f"{place['kind'].lower()}-{group}-{place['version']}.json"
            (folder / file).write_text(json.dumps({"$ref": f"{_DEFINITIONS}#/definitions/{name}"}))


def _publishes(api: KubeApi, kinds: list[str]) -> bool:
    text = api.text("/openapi/v2")
    return all(f'"kind":"{kind}"' in text for kind in kinds)


def _strict(schema: Schema) -> Schema:
    """Refuses unknown fields, and says in JSON Schema what OpenAPI says by format."""
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    done = dict(schema)
    if "properties" in done:
        done["properties"] = {key: _strict(value) for key, value in done["properties"].items()}
        if not done.get("x-kubernetes-preserve-unknown-fields"):
            done.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(done.get(key), dict):
            done[key] = _strict(done[key])
    return done
