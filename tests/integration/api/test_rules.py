"""What a real API server says about rules of a Dataset that mean nothing."""

from collections.abc import Sequence

import pytest

from tests.integration.api.conftest import NAMESPACE
from tests.integration.api.test_acceptance import with_spec
from tests.support.kubeapi import OWN_KINDS, Document, KubeApi
from tests.support.resources import dataset

_KIND = OWN_KINDS["Dataset"]


def _with(rules: Sequence[object]) -> Document:
    return with_spec(dataset("houses", NAMESPACE), "validation", rules)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"rule": "nullValue", "column": "a"}, 'Unsupported value: "nullValue"'),
        ({"rule": "nullValues"}, "column must be set for nullValues"),
        ({"rule": "range", "column": "a"}, "min or max must be set for range"),
        ({"rule": "range", "column": "a", "min": "10", "max": "9"}, "min must be at most max"),
        ({"rule": "invalidValues", "column": "a"}, "validValues or pattern must be set for invalidValues"),
        ({"rule": "rowCount", "pattern": "a"}, "pattern is for invalidValues only"),
        ({"rule": "rowCount", "unit": "percent"}, "unit percent is not for rowCount and sql"),
        ({"rule": "sql"}, "query must be set for sql"),
        (
            {"rule": "duplicateValues", "column": "a", "columns": ["b"]},
            "only one of column and columns may be set",
        ),
        (
            {"rule": "rowCount", "mustBeBetween": ["10", "9"]},
            "the first number of mustBeBetween must be at most the second",
        ),
        ({"rule": "rowCount", "mustBe": 5}, "expected string"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_in_words(kube: KubeApi, rule: object, words: str) -> None:
    answer = kube.attempt(_KIND, _with([rule]), dry_run=True)
    assert not answer.is_success
    assert words in answer.json()["message"], answer.json()["message"]


def test_rules_of_every_kind_are_taken(kube: KubeApi) -> None:
    rules = [
        {"rule": "nullValues", "column": "MedInc", "mustBe": "0"},
        {
            "rule": "missingValues",
            "column": "MedInc",
            "missingValues": ["-1"],
            "unit": "percent",
            "mustBeLessThan": "5",
        },
        {"rule": "invalidValues", "column": "name", "pattern": "[a-z]+", "severity": "Warning"},
        {"rule": "duplicateValues", "columns": ["a", "b"], "variant": "v1"},
        {"rule": "rowCount", "mustNotBeBetween": ["5", "9"]},
        {"rule": "range", "column": "MedHouseVal", "min": "0"},
        {"rule": "sql", "name": "mean", "query": "SELECT avg(a) FROM rows", "mustBeGreaterThan": "-1.5"},
    ]
    answer = kube.attempt(_KIND, _with(rules), dry_run=True)
    assert answer.is_success, answer.text


def test_a_hundred_rules_are_taken_and_one_more_is_not(kube: KubeApi) -> None:
    rule = {"rule": "range", "column": "a", "min": "0", "max": "1"}
    assert kube.attempt(_KIND, _with([rule] * 100), dry_run=True).is_success
    assert not kube.attempt(_KIND, _with([rule] * 101), dry_run=True).is_success
