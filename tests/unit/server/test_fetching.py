"""Not a byte of a bundle is believed, or even read, before it is what the route promises."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import pytest

from modelyard_api.contract.bundle import BUNDLE_FILE, GOLDEN_FILE, MODEL_FILE
from modelyard_api.contract.route import RoutedModel
from modelyard_api.digests import canonical_digest
from modelyard_runtime.s3 import ObjectStore
from modelyard_server.errors import BundleError
from modelyard_server.models.fetching import fetch_bundle
from tests.support.bundles import build_bundle, iris

MOST = 100 * 1024 * 1024


@dataclass
class Shelf:
    """What stands where S3 would, and says what was read."""

    objects: dict[str, bytes]
    sizes: dict[str, int] = field(default_factory=dict)
    """What it says of sizes, where that is not the truth."""
    asked: list[str] = field(default_factory=list)

    def key(self, uri: str) -> str:
        return uri.removeprefix("s3://shelf/")

    def uri(self, key: str) -> str:
        return f"s3://shelf/{key}"

    def size(self, key: str) -> int:
        return self.sizes.get(key, len(self.objects[key]))

    def read(self, key: str) -> bytes:
        self.asked.append(key)
        return self.objects[key]


def shelf(change: Callable[[dict[str, Any]], object] = lambda _: None) -> tuple[Shelf, RoutedModel]:
    """A bundle whose document was changed before its digest was taken."""
    built = build_bundle(iris())
    change(built.document)
    held = {f"m/{name}": content for name, content in built.files.items()}
    held[f"m/{BUNDLE_FILE}"] = orjson.dumps(built.document)
    routed = RoutedModel(version="1", run_id="r", model_digest=built.digest, bundle_uri="s3://shelf/m")
    return Shelf(held), routed


def fetched(held: Shelf, routed: RoutedModel, free: int | None = None) -> bytes:
    found = fetch_bundle(cast("ObjectStore", held), routed, MOST, lambda: free)
    return found.file(MODEL_FILE)


def file_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in document["files"] if each["name"] == name)
    return found


def test_a_bundle_is_read_as_it_was_written() -> None:
    held, routed = shelf()
    assert fetched(held, routed) == held.objects[f"m/{MODEL_FILE}"]


def test_a_document_of_another_digest_is_refused() -> None:
    held, routed = shelf()
    with pytest.raises(BundleError, match="the route says sha256:0"):
        fetched(held, routed.model_copy(update={"model_digest": "sha256:0"}))


def test_a_file_with_one_other_byte_is_refused() -> None:
    held, routed = shelf()
    content = bytearray(held.objects[f"m/{MODEL_FILE}"])
    content[100] ^= 1
    held.objects[f"m/{MODEL_FILE}"] = bytes(content)
    with pytest.raises(BundleError, match=r"model\.skops has the SHA-256"):
        fetched(held, routed)


@pytest.mark.parametrize("name", [BUNDLE_FILE, MODEL_FILE, GOLDEN_FILE])
def test_a_file_that_is_larger_than_promised_is_not_read(name: str) -> None:
    held, routed = shelf()
    held.sizes[f"m/{name}"] = 1 << 40
    with pytest.raises(BundleError, match="were promised"):
        fetched(held, routed)
    assert f"m/{name}" not in held.asked


def test_a_bundle_that_is_larger_than_allowed_is_not_read() -> None:
    held, routed = shelf(lambda document: file_of(document, MODEL_FILE).update(bytes=MOST))
    with pytest.raises(BundleError, match=f"at most {MOST} are allowed"):
        fetched(held, routed)
    assert held.asked == [f"m/{BUNDLE_FILE}"]


def test_golden_requests_beyond_what_any_training_writes_are_not_read() -> None:
    held, routed = shelf(lambda document: file_of(document, GOLDEN_FILE).update(bytes=50 * 1024 * 1024))
    with pytest.raises(BundleError, match=r"golden\.json has 52428800 bytes, at most 16777216 are allowed"):
        fetched(held, routed)
    assert held.asked == [f"m/{BUNDLE_FILE}"]


def test_a_model_that_does_not_fit_the_memory_that_is_left_is_not_read() -> None:
    held, routed = shelf()
    with pytest.raises(
        BundleError, match=r"the pod has 0 left; raise spec\.serving\.resources\.limits\.memory"
    ):
        fetched(held, routed, free=1000)
    assert f"m/{MODEL_FILE}" not in held.asked


def test_a_file_outside_of_the_bundle_is_refused() -> None:
    def outside(document: dict[str, Any]) -> None:
        file_of(document, GOLDEN_FILE).update(name="../../other/golden.json")
        file_of(document, MODEL_FILE).update(name=MODEL_FILE)

    held, routed = shelf(outside)
    found = fetch_bundle(cast("ObjectStore", held), routed, MOST)
    with pytest.raises(BundleError, match="outside of itself"):
        found.file("../../other/golden.json")


@pytest.mark.parametrize("depth", [500, 1000, 100_000])
def test_a_document_that_is_nested_without_end_is_refused(depth: int) -> None:
    held, routed = shelf()
    held.objects[f"m/{BUNDLE_FILE}"] = b'{"a":' * depth + b"1" + b"}" * depth
    with pytest.raises(BundleError):
        fetched(held, routed)


def test_the_digest_covers_every_file_by_its_own() -> None:
    built = build_bundle(iris())
    listed = {each["name"]: each["sha256"] for each in built.document["files"]}
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in built.files.items()}
    assert canonical_digest(built.document) == built.digest
