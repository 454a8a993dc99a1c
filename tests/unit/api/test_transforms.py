"""Transforms of a variant: what may be written, and which variants may refer to which."""

import pytest
from pydantic import ValidationError

from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.transforms import Transform, Variant


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ({}, "exactly one of filter, derive, bin"),
        ({"filter": {"where": "a"}, "dropMissing": {}}, "exactly one of filter, derive, bin"),
        ({"bin": {"column": "a", "into": "b"}}, "exactly one of edges, quantiles must be set"),
        (
            {"bin": {"column": "a", "into": "b", "edges": ["1", "2"], "quantiles": 2}},
            "exactly one of edges, quantiles must be set",
        ),
        (
            {"bin": {"column": "a", "into": "b", "quantiles": 2, "openEnded": True}},
            "openEnded goes with edges",
        ),
        (
            {"fillMissing": {"columns": ["a"], "strategy": "Constant"}},
            "value goes with strategy Constant alone",
        ),
        (
            {"fillMissing": {"columns": ["a"], "strategy": "Mean", "value": "1"}},
            "value goes with strategy Constant alone",
        ),
        ({"fillMissing": {"columns": [], "strategy": "Mean"}}, "at least 1 item"),
        ({"sample": {"percent": "0"}}, "a percent is more than 0 and at most 100"),
        ({"cast": {"columns": ["a"], "to": "Date"}}, "'Integer', 'Number', 'Boolean' or 'Text'"),
        (
            {"aggregate": {"groupBy": ["a"], "columns": [{"into": "b", "function": "Count", "column": "c"}]}},
            "column goes with every function but Count",
        ),
        (
            {"aggregate": {"groupBy": ["a"], "columns": [{"into": "b", "function": "Sum"}]}},
            "column goes with every function but Count",
        ),
        ({"balance": {"column": "a", "method": "Smote"}}, "'Over' or 'Under'"),
        ({"sql": {"query": ""}}, "at least 1 character"),
    ],
)
def test_a_transform_that_means_nothing_is_refused(transform: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Transform.model_validate(transform)


def _spec(*variants: object) -> DatasetSpec:
    return DatasetSpec.model_validate({"source": {"builtin": {"name": "iris"}}, "variants": list(variants)})


def _joining(name: str, other: str) -> dict[str, object]:
    return {"name": name, "transforms": [{"join": {"variant": other, "on": ["row"]}}]}


@pytest.mark.parametrize(
    "variants",
    [
        [_joining("a", "a")],
        [_joining("a", "b"), {"name": "b"}],
        [_joining("a", "b"), _joining("b", "a")],
        [_joining("a", "nothing")],
    ],
)
def test_a_variant_joins_earlier_ones_alone(variants: list[object]) -> None:
    with pytest.raises(ValidationError, match=r"variants: a joins .*, which is not an earlier variant"):
        _spec(*variants)


def test_a_variant_knows_what_it_joins() -> None:
    assert _spec({"name": "b"}, _joining("a", "b")).variants[1].joined == ["b"]
    assert Variant(name="c").joined == []
