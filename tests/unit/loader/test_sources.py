"""The registry of sources, and the data sets that are shipped with the loader."""

from pathlib import Path

import pytest

from modelyard_api.v1alpha1.sources import BuiltinName, Source
from modelyard_loader.sources import READERS
from modelyard_loader.sources.builtin import FILES
from tests.support.sources import Given, Reading

_SHAPES = {
    BuiltinName.CALIFORNIA_HOUSING: (20640, 9),
    BuiltinName.PRODUCT_TITLES: (35311, 4),
    BuiltinName.IRIS: (150, 5),
    BuiltinName.WINE: (178, 14),
    BuiltinName.BREAST_CANCER: (569, 31),
    BuiltinName.DIABETES: (442, 11),
    BuiltinName.DIGITS: (1797, 65),
}


def _read(directory: Path, name: BuiltinName) -> Given:
    return Reading(directory).read({"builtin": {"name": name}})


def test_every_kind_of_source_has_a_reader() -> None:
    assert set(READERS) == set(Source.model_fields)
    assert set(FILES) == set(BuiltinName)


@pytest.mark.parametrize("name", BuiltinName)
def test_a_builtin_data_set_is_whole_and_every_value_fits(name: BuiltinName, tmp_path: Path) -> None:
    given = _read(tmp_path, name)
    assert given.table.shape == _SHAPES[name]
    assert given.rejects == []
    assert sum(column.null_count for column in given.table.columns) == 0
    assert given.numbers == list(range(1, _SHAPES[name][0] + 1))


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        (BuiltinName.CALIFORNIA_HOUSING, "94ef369b909f5c725340b512b7c9a05c1550a554b6592d29303990e3ba521a1f"),
        (BuiltinName.PRODUCT_TITLES, "8276be9121ba73d8b2ee849222f62f438c0d1e7493ab6c425c2d1733b8e897f5"),
    ],
)
def test_a_builtin_data_set_is_known_by_the_digest_of_its_bytes(
    name: BuiltinName, digest: str, tmp_path: Path
) -> None:
    assert _read(tmp_path, name).digest == f"sha256:{digest}"


def test_the_types_of_a_builtin_data_set_are_said_and_not_guessed(tmp_path: Path) -> None:
    types = _read(tmp_path, BuiltinName.PRODUCT_TITLES).types
    assert types == {"product_id": "Integer", "title": "Text", "merchant_id": "Integer", "category": "Text"}
    assert set(_read(tmp_path, BuiltinName.CALIFORNIA_HOUSING).types.values()) == {"Number"}
