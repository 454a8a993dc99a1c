"""The status write: a merge patch that says just what changed."""

import pytest

from modelyard_operator.reconcilers.status import difference


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1, "b": 2}, {"a": 1}, {"b": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": None}}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_the_patch_turns_one_document_into_the_other(
    before: dict[str, object], after: dict[str, object], patch: dict[str, object]
) -> None:
    assert difference(before, after) == patch
