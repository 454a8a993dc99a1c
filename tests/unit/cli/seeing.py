"""Objects as a cluster shows them, for what is made of them."""

from typing import Any

Document = dict[str, Any]

RUN = "0" * 31 + "a"
DIGEST = "sha256:" + "ab" * 32
EARLIER = "sha256:" + "cd" * 32


def condition(type_: str, status: str, reason: str, message: str = "", generation: int = 1) -> Document:
    """A condition about a generation."""
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def seen(document: Document, **status: Any) -> Document:  # noqa: ANN401  JSON
    """A resource of generation 1 with a status."""
    return {**document, "metadata": {**document["metadata"], "generation": 1}, "status": status}


def version(sequence: int, digest: str = DIGEST) -> Document:
    """What a TrainingJob says about its data."""
    return {"variant": "v1", "sequence": sequence, "digest": digest, "uri": "s3://a/b"}
