"""What a real API server says about transforms."""

import pytest

from tests.integration.api.conftest import NAMESPACE
from tests.support.kubeapi import OWN_KINDS, Document, KubeApi
from tests.support.resources import dataset

_KIND = OWN_KINDS["Dataset"]


def _with(*variants: object) -> Document:
    return dataset("houses", NAMESPACE, variants=list(variants))


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ({}, "exactly one of filter, derive, bin"),
        (
            {"sort": {"by": [{"column": "a"}], "into": "b"}, "dropMissing": {}},
            "exactly one of filter, derive",
        ),
        ({"bin": {"column": "a", "into": "b"}}, "exactly one of edges, quantiles must be set"),
        (
            {"bin": {"column": "a", "into": "b", "quantiles": 2, "openEnded": True}},
            "openEnded goes with edges; quantiles are open at both ends",
        ),
        (
            {"fillMissing": {"columns": ["a"], "strategy": "Constant"}},
            "value goes with strategy Constant alone",
        ),
        ({"fillMissing": {"columns": ["a"], "strategy": "Guess"}}, 'Unsupported value: "Guess"'),
        ({"sample": {"percent": "101"}}, "a percent is more than 0 and at most 100"),
        (
            {"aggregate": {"groupBy": ["a"], "columns": [{"into": "b", "function": "Sum"}]}},
            "column goes with every function but Count",
        ),
        ({"join": {"variant": "v2", "on": ["a"]}}, "join must name another variant of the list"),
        ({"join": {"variant": "v9", "on": ["a"]}}, "join must name another variant of the list"),
    ],
)
def test_a_transform_that_means_nothing_is_refused_in_words(
    kube: KubeApi, transform: object, words: str
) -> None:
    document = _with({"name": "v1"}, {"name": "v2", "transforms": [transform]})
    answer = kube.attempt(_KIND, document, dry_run=True)
    assert not answer.is_success
    assert words in answer.json()["message"], answer.json()["message"]


def test_transforms_of_every_kind_are_taken(kube: KubeApi) -> None:
    transforms = [
        {"filter": {"where": "a > 1"}},
        {"derive": {"column": "b", "as": "a * 2"}},
        {"bin": {"column": "a", "into": "c", "edges": ["0", "1"], "openEnded": True}},
        {"bin": {"column": "a", "into": "d", "quantiles": 4}},
        {"dropMissing": {}},
        {"fillMissing": {"columns": ["a"], "strategy": "Constant", "value": "0"}},
        {"fillMissing": {"columns": ["a"], "strategy": "Median"}},
        {"select": {"columns": ["a", "b", "c", "t", "y"]}},
        {"rename": {"columns": [{"from": "b", "to": "e"}]}},
        {"cast": {"columns": ["e"], "to": "Text", "onMisfit": "Null"}},
        {"text": {"columns": ["t"], "operations": ["NFKC", "Lower", "Strip"]}},
        {"sample": {"percent": "10", "seed": 1}},
        {"dedupe": {"columns": ["t"]}},
        {"sort": {"by": [{"column": "a", "descending": True}], "into": "place"}},
        {"join": {"variant": "v1", "on": ["row"], "columns": ["z"], "kind": "Inner"}},
        {"balance": {"column": "y", "method": "Over", "seed": 3}},
        {
            "aggregate": {
                "groupBy": ["y"],
                "columns": [{"into": "n", "function": "Count"}],
                "part": "Training",
            }
        },
        {"sql": {"query": "SELECT y, n FROM rows"}},
    ]
    document = _with({"name": "v1"}, {"name": "v2", "transforms": transforms})
    answer = kube.attempt(_KIND, document, dry_run=True)
    assert answer.is_success, answer.text
