"""Canonical JSON and its digest: the one way to give a document an identity."""

from __future__ import annotations

import hashlib
import json


def canonical_json(document: object) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces (RFC 8785 for documents of strings, integers and finite floats).

    Raises ValueError for NaN and infinities, which JSON does not have.
    """
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def canonical_digest(document: object) -> str:
    """``sha256:<hex>`` of the canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical_json(document)).hexdigest()
