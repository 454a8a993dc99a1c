"""Datasets that the API server refuses, so that no pod is started for them; each is told what is wrong."""

from typing import Any

import pytest

from tests.integration.api.conftest import NAMESPACE
from tests.support.kubeapi import OWN_KINDS, Document, KubeApi
from tests.support.resources import dataset

_SECRET = {"name": "warehouse"}
_DIGEST = "0" * 64


def loaded(**plan: object) -> Document:
    """A Dataset with a plan of loading."""
    return dataset("houses", NAMESPACE, load=plan)


def of(**source: object) -> Document:
    """A Dataset with a source."""
    return dataset("houses", NAMESPACE, source=source)


def judged(**rule: object) -> Document:
    """A Dataset with a rule."""
    return dataset("houses", NAMESPACE, validation=[rule])


REFUSED: list[tuple[str, Document, str]] = [
    (
        "a first step beyond the target",
        loaded(initialPercent="60", targetPercent="40"),
        "load.initialPercent must be at most load.targetPercent",
    ),
    (
        "a target that no step leads to",
        loaded(initialPercent="40"),
        "load.incrementPercent must be set where load.initialPercent is less than load.targetPercent",
    ),
    (
        "an increment of nothing",
        loaded(initialPercent="40", incrementPercent="0"),
        "more than 0 and at most 100",
    ),
    ("a percent below 0", loaded(initialPercent="-3"), "should match"),
    ("a percent in words", loaded(targetPercent="all"), "should match"),
    (
        "a schedule and an interval",
        loaded(schedule="*/10 * * * *", intervalSeconds=60),
        "only one of load.schedule and load.intervalSeconds may be set",
    ),
    ("an interval of no time", loaded(intervalSeconds=0), "greater than or equal to 1"),
    ("a schedule that is too short for one", loaded(schedule="* *"), "at least 9 chars"),
    ("two orders", loaded(order={"hash": {}, "source": {}}), "exactly one of hash, source must be set"),
    ("no order", loaded(order={}), "exactly one of hash, source must be set"),
    (
        "rejects that fail and are set aside",
        loaded(onReject={"fail": {}, "quarantine": {}}),
        "exactly one of fail, quarantine must be set",
    ),
    (
        "a quarantine of less than nothing",
        loaded(onReject={"quarantine": {"limit": -1}}),
        "greater than or equal to 0",
    ),
    ("two sources", of(builtin={"name": "iris"}, upload={}), "exactly one of builtin, s3, http, sql, upload"),
    ("a file of the node", of(s3={"uri": "file:///etc/passwd"}), "should match"),
    ("a bucket without a key", of(s3={"uri": "s3://lake"}), "should match"),
    (
        "a password in an endpoint",
        of(s3={"uri": "s3://lake/*.csv", "endpointUrl": "http://me:secret@store"}),
        "should match",
    ),
    (
        "a file format that nobody reads",
        of(s3={"uri": "s3://lake/a.xls", "format": "Excel"}),
        "Unsupported value",
    ),
    (
        "a delimiter of two characters",
        of(s3={"uri": "s3://lake/a.csv", "csv": {"delimiter": "||"}}),
        "may not be more than 1",
    ),
    ("a file that is not pinned", of(http={"url": "https://example.com/a.csv"}), "sha256: Required value"),
    (
        "a digest of another kind",
        of(http={"url": "https://example.com/a.csv", "sha256": "d41d8cd98f00b204e9800998ecf8427e"}),
        "should match",
    ),
    (
        "a password in an address",
        of(http={"url": "https://me:secret@example.com/a.csv", "sha256": _DIGEST}),
        "should match",
    ),
    (
        "a protocol that nobody speaks",
        of(http={"url": "ftp://example.com/a.csv", "sha256": _DIGEST}),
        "should match",
    ),
    ("a query without a Secret", of(sql={"query": "SELECT 1"}), "credentialsSecret: Required value"),
    ("a query of nothing", of(sql={"credentialsSecret": _SECRET, "query": ""}), "at least 1 chars"),
    (
        "a Secret of another namespace",
        of(sql={"credentialsSecret": {"name": "warehouse", "namespace": "kube-system"}, "query": "SELECT 1"}),
        "field not declared in schema",
    ),
    ("a Dataset without a variant", of(dataset={"name": "other"}), "variant: Required value"),
    (
        "a column of an unknown type",
        dataset("houses", NAMESPACE, columns=[{"name": "a", "type": "Decimal"}]),
        "Unsupported value",
    ),
    (
        "a column that SQL cannot name",
        dataset("houses", NAMESPACE, columns=[{"name": "a b", "type": "Text"}]),
        "should match",
    ),
    ("a rule that does not exist", judged(rule="looksGood", column="MedInc"), "Unsupported value"),
    (
        "a severity that does not exist",
        judged(rule="nullValues", column="MedInc", severity="Panic"),
        "Unsupported value",
    ),
    ("a bound as a number", judged(rule="range", column="MedInc", min=0), "expected string"),
    (
        "a keeping of no version",
        dataset("houses", NAMESPACE, retention={"keepLast": 0}),
        "greater than or equal to 1",
    ),
    (
        "a held-out share of everything and more",
        dataset("houses", NAMESPACE, split={"testPercent": "120"}),
        "more than 0 and at most 100",
    ),
]


@pytest.mark.parametrize(
    ("document", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_it_is_refused_in_words(kube: KubeApi, document: dict[str, Any], words: str) -> None:
    answer = kube.attempt(OWN_KINDS["Dataset"], document, dry_run=True)
    assert not answer.is_success
    assert words in answer.json()["message"], answer.json()["message"]
