"""Rollouts, step by step: how far a candidate comes, and what stops it."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard_operator.decisions.evidence import binomial_tail, exceeds
from modelyard_operator.objects.custom import PromotionObject
from tests.unit.operator.rolling import CANARY, ROLLBACK, SHADOW, world


def test_a_canary_goes_through_its_steps_and_then_takes_charge() -> None:
    made = world(CANARY)
    made.counts = lambda number: {"requests": 300} if number == "2" else {}
    shares: list[int] = []
    for _ in range(140):
        made.step()
        if made.champion == "2":
            break
        shares.append(made.percent)
    assert 60 <= shares.count(10) <= 63
    assert 60 <= shares.count(50) <= 63
    assert shares == sorted(shares, key=[10, 50, 0].index)
    assert (made.champion, made.alias) == ("2", "2")
    assert made.condition("RolledBack") == ("False", "RolledOut")
    candidate = made.seen.status.candidate
    assert candidate is not None
    assert candidate.rollout is not None
    assert candidate.rollout.counts.requests == 300
    assert made.seen.status.last_swap is not None
    assert (made.seen.status.last_swap.version, made.seen.status.last_swap.requests) == ("2", 7)


def test_a_step_counts_its_time_from_when_all_pods_serve_it() -> None:
    made = world(CANARY)
    made.error = "still loading"
    made.run(100)
    assert made.percent == 10
    made.error = ""
    made.run(59)
    assert made.percent == 10
    made.run(3)
    assert made.percent == 50


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"requests": 4, "errors": 4}, "TooManyErrors"),
        ({"requests": 1000, "errors": 50}, "TooManyErrors"),
        ({"requests": 20, "slow": 20}, "TooSlow"),
    ],
)
def test_a_broken_canary_is_stopped_long_before_its_step_is_over(counts: dict[str, int], reason: str) -> None:
    made = world(CANARY)
    made.run(3)
    made.counts = lambda number: counts if number == "2" else {"requests": 1000}
    made.run(3)
    assert (made.champion, made.percent, made.alias) == ("1", 0, "1")
    assert made.condition("RolledBack") == ("True", reason)
    assert made.condition("Ready") == ("True", "Serving")
    candidate = made.seen.status.candidate
    assert candidate is not None
    assert candidate.refused is not None
    assert candidate.rollout is not None
    assert candidate.rollout.counts.requests == counts["requests"]
    made.run(200)
    assert (made.champion, made.percent) == ("1", 0)


def test_at_the_end_of_a_step_the_share_itself_is_judged() -> None:
    made = world(CANARY)
    made.counts = lambda number: {"requests": 100, "errors": 2} if number == "2" else {}
    made.run(55)
    assert made.percent == 10
    made.run(10)
    assert made.percent == 0
    assert made.condition("RolledBack") == ("True", "TooManyErrors")


def test_one_slow_answer_among_few_stops_no_canary() -> None:
    made = world(CANARY)
    made.counts = lambda number: {"requests": 20, "slow": 1} if number == "2" else {}
    made.run(130)
    assert made.champion == "2"


@pytest.mark.parametrize(
    ("disagreed", "champion", "reason"), [(40, "2", "RolledOut"), (60, "1", "TooMuchDisagreement")]
)
def test_a_shadow_that_agrees_takes_charge_and_one_that_does_not_is_given_up(
    disagreed: int, champion: str, reason: str
) -> None:
    made = world(SHADOW)
    made.counts = lambda _: {"compared": 1000, "disagreed": disagreed}
    made.run(70)
    assert made.champion == champion
    assert made.condition("RolledBack")[1] == reason


def test_the_operator_may_be_another_one_at_every_step() -> None:
    made = world(CANARY)
    for _ in range(140):
        made.step()
        made.seen = PromotionObject.model_validate(
            {
                "metadata": made.seen.metadata.to_wire(),
                "spec": made.seen.spec.to_wire(),
                "status": made.seen.status.to_wire(),
            }
        )
    assert made.champion == "2"


def test_a_rollout_waits_while_mlflow_does_not_answer_and_counts_its_step_anew() -> None:
    made = world(CANARY)
    made.run(50)
    made.mlflow = False
    made.run(100)
    assert (made.champion, made.percent) == ("1", 0)
    made.mlflow = True
    made.run(50)
    assert made.percent == 10
    made.run(15)
    assert made.percent == 50


def test_an_edit_of_the_spec_begins_the_rollout_anew() -> None:
    made = world(CANARY)
    made.run(65)
    assert made.percent == 50
    made.seen = made.seen.model_copy(
        update={"metadata": made.seen.metadata.model_copy(update={"generation": 2})}
    )
    made.run(2)
    assert made.percent == 10


def test_a_newer_version_takes_the_place_of_the_candidate_from_the_first_step() -> None:
    made = world(CANARY)
    made.run(65)
    made.versions = (1, 2, 3)
    made.run(2)
    assert made.route.candidate is not None
    assert (made.route.candidate.model.version, made.percent) == ("3", 10)


@pytest.mark.parametrize("rollout", [CANARY, {"immediate": {}}])
def test_a_candidate_under_which_a_server_ends_is_given_up_at_once(rollout: dict[str, Any]) -> None:
    made = world(rollout)
    made.error = "not there yet"
    made.run(2)
    made.restarts = 1
    made.run(2)
    assert made.champion == "1"
    assert made.condition("RolledBack") == ("True", "ServerEnded")


def test_a_candidate_that_is_never_loaded_is_given_up() -> None:
    made = world({"immediate": {}})
    made.error = "being loaded"
    made.run(119)
    assert made.condition("RolledBack") == ("False", "RolledOut")
    made.run(3)
    assert made.condition("RolledBack") == ("True", "ModelUnusable")


def test_at_rest_after_a_rollout_nothing_changes() -> None:
    made = world(CANARY, rollback=ROLLBACK)
    made.run(140)
    assert made.champion == "2"
    before = made.seen.status
    made.run(3)
    assert made.seen.status == before


def test_counts_are_noted_in_status_every_ten_seconds_and_not_at_every_look() -> None:
    made = world(CANARY)
    noted = set()
    for requests in range(40):
        made.counts = lambda _, count=requests: {"requests": count}  # type: ignore[misc]
        made.step()
        candidate = made.seen.status.candidate
        assert candidate is not None
        assert candidate.rollout is not None
        noted.add(candidate.rollout.counts.requests)
    assert 3 <= len(noted) <= 5


@pytest.mark.parametrize(
    ("count", "total", "share", "expected"),
    [(1, 1, 0.5, 0.5), (3, 10, 0.1, 0.0701908264), (5, 5, 0.1, 1e-5), (0, 5, 0.1, 1.0), (1, 5, 0.0, 0.0)],
)
def test_the_tail_of_the_binomial_is_what_tables_say(
    count: int, total: int, share: float, expected: float
) -> None:
    assert binomial_tail(count, total, share) == pytest.approx(expected)


def test_a_limit_of_nothing_is_broken_by_the_first_error_and_not_before() -> None:
    assert not exceeds(0, 100, "0", 1e-4)
    assert exceeds(1, 100_000, "0", 1e-4)
    assert not exceeds(0, 0, "1")
