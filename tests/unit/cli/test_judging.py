"""Resources are judged without a cluster: the API server's part here in examples, in full beside a real one."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from modelyard_api.base import RULES_KEY
from modelyard_api.crd.definition import KINDS, Kind, custom_resource_definition
from modelyard_cli.validation.judge import judge
from tests.support.resources import dataset, promotion, training_job

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def told(document: object) -> list[str]:
    return [fault.sentence() for fault in judge(document, NOW).faults]


@pytest.mark.parametrize(
    "document",
    [dataset("a", "demo"), training_job("a", "demo"), promotion("a", "demo")],
    ids=lambda d: d["kind"],
)
def test_what_is_well_has_no_faults(document: dict[str, Any]) -> None:
    assert told(document) == []


def test_all_faults_are_told_at_once() -> None:
    document = dataset("a", "demo", colour="blue", primaryKey=["my id"], split={"testPercent": "0"})
    assert told(document) == [
        'spec.colour: unknown field "spec.colour"',
        "spec.primaryKey[0]: Invalid value: \"my id\": spec.primaryKey[0] in body should match '^[A-Za-z_][A-Za-z0-9_]*$'",
        'spec.split.testPercent: Invalid value: "0": a percent is more than 0 and at most 100',
    ]


def test_rules_that_span_fields_wait_until_the_fields_are_well() -> None:
    document = dataset("a", "demo", source={}, primaryKey=5)
    assert told(document)[-1].endswith("correct the existing errors to complete validation")
    assert not any("exactly one of" in text for text in told(document))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            training_job("a", "demo", pipeline={"estimator": {"class": "RandomForestRegresor"}}),
            'spec.pipeline.estimator.class: "RandomForestRegresor" is not a class of the catalog',
        ),
        (
            training_job(
                "a",
                "demo",
                pipeline={"estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 0}}},
            ),
            "spec.pipeline.estimator.params.n_estimators: 0 is not accepted by RandomForestRegressor. n_est",
        ),
        (
            training_job("a", "demo", evaluation={"primary": "f1_macro"}),
            'spec.evaluation.primary: "f1_macro" is a metric of Classification',
        ),
        (
            dataset("a", "demo", load={"schedule": "61 * * * *"}),
            "spec.load.schedule = '61 * * * *'",
        ),
        (
            promotion("a", "demo", candidate={"best": {"metric": "rsme"}}),
            "spec.candidate.best.metric: rsme is not a metric",
        ),
        (
            dataset("a", "demo", variants=[{"name": "v2", "from": "v1"}, {"name": "v1"}]),
            "spec.variants: v2 starts from v1, which is not an earlier variant",
        ),
    ],
)
def test_what_only_the_operator_sees_is_told_in_its_words(document: dict[str, Any], words: str) -> None:
    (sentence,) = told(document)
    assert sentence.startswith(words)


KNOWN_FUNCTIONS = {"all", "double", "exists", "exists_one", "filter", "has", "matches", "size"}
"""Functions of rules that the evaluator here and the API server were seen to answer alike."""


def rules_of(node: Any) -> Iterator[str]:  # noqa: ANN401  JSON
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    if isinstance(node, dict):
        yield from (rule["rule"] for rule in node.get(RULES_KEY, []) if isinstance(rule, dict))
    for child in children:
        yield from rules_of(child)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_rule_uses_what_was_not_seen_to_mean_the_same_offline(kind: Kind) -> None:
    """Whoever uses another function tries it beside a real API server first, in the tests of the same words."""
    rules = list(rules_of(custom_resource_definition(kind)))
    assert rules
    bare = [re.sub(r"'[^']*'", "", rule) for rule in rules]
    used = {name for rule in bare for name in re.findall(r"([A-Za-z_]\w*)\(", rule)}
    assert used <= KNOWN_FUNCTIONS


def test_other_kinds_are_left_alone() -> None:
    assert not judge({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, NOW).known


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "is no resource: it must be an object"),
        ({}, "apiVersion: Required value"),
        ({"apiVersion": "modelyard.dev/v1", "kind": "Dataset"}, 'no matches for "modelyard.dev/v1"'),
        ({"apiVersion": "modelyard.dev/v1alpha1", "kind": "DataSet"}, 'no matches for kind "DataSet"'),
        ({"apiVersion": "modelyard.dev/v1alpha1", "kind": "Dataset"}, "metadata: Required value"),
    ],
)
def test_what_is_no_resource_of_ours_is_told_so(document: object, words: str) -> None:
    assert any(words in sentence for sentence in told(document))
