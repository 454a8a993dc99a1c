"""A version is on its way, in charge or refused; the oldest ModelPromotion of a stage is its owner."""

from typing import Any

import pytest

from modelyard_cli.objects import promotion_seen
from modelyard_cli.views.look import State
from modelyard_cli.views.pods import of_resource
from modelyard_cli.views.promoting import look_for, new_promotion, owner_of, pointed_to
from tests.support.resources import promotion
from tests.unit.cli.seeing import DIGEST, RUN, condition, seen

READY = condition("Ready", "True", "Serving")
PASSED = condition("GatesPassed", "True", "GatesPassed")
FAILED = condition("GatesPassed", "False", "GateFailed", "r2 is 0.6, 0.7 is needed")


def served(version: str) -> dict[str, str]:
    return {"version": version, "runId": RUN, "modelDigest": DIGEST, "bundleUri": "s3://a/b", "since": "now"}


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        ({}, State.WORKING, "Pending"),
        ({"conditions": [READY, PASSED], "champion": served("3")}, State.DONE, "Serving"),
        ({"conditions": [READY, PASSED], "champion": served("2")}, State.WORKING, "Serving"),
        (
            {"conditions": [READY, FAILED], "champion": served("2"), "candidate": {"version": "3"}},
            State.FAILED,
            "GateFailed: r2 is 0.6",
        ),
        (
            {
                "conditions": [READY, PASSED],
                "champion": served("2"),
                "candidate": {"version": "3", "refused": "the golden rows differ"},
            },
            State.FAILED,
            "ModelUnusable: the golden rows differ",
        ),
        (
            {
                "conditions": [
                    READY,
                    PASSED,
                    condition("Approved", "False", "WaitingForApproval", "annotate"),
                ],
                "champion": served("2"),
                "candidate": {"version": "3"},
            },
            State.FAILED,
            "WaitingForApproval: annotate",
        ),
        (
            {
                "conditions": [READY, condition("GatesPassed", "Unknown", "TryingGates", "being found out")],
                "champion": served("2"),
                "candidate": {"version": "3"},
            },
            State.WORKING,
            "Serving",
        ),
        (
            {"conditions": [condition("GatesPassed", "Unknown", "CandidateNotFound", "no version 3")]},
            State.FAILED,
            "CandidateNotFound: no version 3",
        ),
        (
            {"conditions": [condition("Ready", "False", "AliasConflict", "another owns it")]},
            State.FAILED,
            "AliasConflict: another owns it",
        ),
        (
            {"conditions": [{**READY, "observedGeneration": 0}], "champion": served("3")},
            State.WORKING,
            "Pending",
        ),
    ],
)
def test_a_version_is_followed_to_where_waiting_ends(
    status: dict[str, Any], state: State, words: str
) -> None:
    look = look_for(promotion_seen(seen(promotion("housing", "demo"), **status)), "3")
    assert (look.state, look.line()[: len(words)]) == (state, words)


def test_the_oldest_promotion_of_a_stage_owns_it() -> None:
    def made(name: str, time: str, **spec: str) -> dict[str, Any]:
        document = promotion(name, "demo", **spec)
        document["metadata"]["creationTimestamp"] = time
        return document

    young, old = made("young", "2026-01-02T00:00:00Z"), made("old", "2026-01-01T00:00:00Z")
    staging = made("staging", "2025-01-01T00:00:00Z", stage="staging")
    assert owner_of([young, old, staging], "housing", "production") == old
    assert owner_of([staging], "housing", "production") is None
    del young["spec"]["stage"]
    assert owner_of([young], "housing", "production") == young


def test_the_candidate_is_the_version_alone() -> None:
    change = pointed_to("3")
    assert change["version"] == "3"
    assert {"latest", "best", "trainingJob"} <= {name for name, value in change.items() if value is None}
    assert new_promotion("housing", "staging", "3")["metadata"]["name"] == "housing-staging"


def test_the_latest_pod_comes_first_and_one_that_goes_on_before_one_that_ended() -> None:
    def pod(name: str, second: int, phase: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{second}Z"},
            "spec": {"containers": [{"name": "work"}]},
            "status": {"phase": phase},
        }

    pods = [pod("old", 1, "Succeeded"), pod("ended", 2, "Failed"), pod("at-work", 2, "Running")]
    assert [item.name for item in of_resource(pods)] == ["at-work", "ended", "old"]


@pytest.mark.parametrize(
    ("states", "container"),
    [
        ([{"running": {}}], "first"),
        ([{"terminated": {"exitCode": 0}}, {"running": {}}], "second"),
        ([{"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 1}}], "second"),
        ([{"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 0}}], "work"),
    ],
)
def test_of_containers_one_after_the_other_the_one_that_works_or_failed_is_looked_at(
    states: list[dict[str, Any]], container: str
) -> None:
    statuses = [
        {"name": name, "state": state} for name, state in zip(("first", "second"), states, strict=False)
    ]
    pod = {
        "metadata": {"name": "pod", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "work"}]},
        "status": {"phase": "Pending", "initContainerStatuses": statuses},
    }
    assert [item.container for item in of_resource([pod])] == [container]
