"""Ways back: what a version has to give way for while it takes charge and afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard_operator.objects.gates import QueryAnswer
from tests.unit.operator.rolling import CANARY, ROLLBACK, SHADOW, Counts, world


def test_a_version_that_fails_while_some_pods_still_load_it_never_takes_charge() -> None:
    made = world({"immediate": {}}, rollback=ROLLBACK)
    made.loading = True
    made.counts = lambda number: {"requests": 20, "errors": 20} if number == "2" else {"requests": 500}
    made.run(3)
    assert made.condition("RolledBack") == ("True", "TooManyErrors")
    made.loading = False
    made.run(3)
    assert (made.champion, made.route.champion.version, made.alias) == ("1", "1", "1")


def test_a_champion_that_is_slow_within_its_window_gives_way_to_the_one_before() -> None:
    made = world({"immediate": {}}, rollback={"onLatencySeconds": "0.2"})
    assert made.route.max_latency_seconds == "0.2"
    made.run(3)
    assert made.champion == "2"
    made.counts = lambda number: {"requests": 200, "slow": 40} if number == "2" else {}
    made.run(4)
    assert made.champion == "1"
    assert made.condition("RolledBack") == ("True", "TooSlow")


def test_a_champion_that_fails_within_its_window_gives_way_to_the_one_before() -> None:
    made = world({"immediate": {}}, rollback=ROLLBACK)
    made.run(3)
    assert made.champion == "2"
    made.counts = lambda number: {"requests": 200, "errors": 40} if number == "2" else {}
    made.run(4)
    assert (made.champion, made.alias) == ("1", "1")
    assert made.condition("RolledBack") == ("True", "TooManyErrors")
    assert made.route.previous is None
    assert [item.version for item in made.seen.status.history] == ["1", "2", "1"]
    made.counts = lambda _: {"requests": 200, "errors": 200}
    made.run(50)
    assert made.champion == "1"


def test_a_way_back_needs_no_answer_of_mlflow_for_the_servers_and_one_for_the_record() -> None:
    made = world({"immediate": {}}, rollback=ROLLBACK)
    made.run(3)
    made.mlflow = False
    made.counts = lambda number: {"requests": 200, "errors": 40} if number == "2" else {}
    made.run(3)
    assert made.route.champion.version == "1"
    assert (made.champion, made.alias) == ("2", "2")
    made.mlflow = True
    made.run(2)
    assert (made.champion, made.alias) == ("1", "1")


DRIFT = {"onQuery": {"query": "max(drift)", "max": "0.2"}}


def test_a_step_ends_only_when_prometheus_answers_and_stops_when_the_answer_is_out_of_bounds() -> None:
    made = world(CANARY, rollback=DRIFT)
    for nothing in (None, QueryAnswer(fault="it does not answer"), QueryAnswer((float("nan"),))):
        made.answer = nothing
        made.run(50)
        assert made.percent == 10
    made.answer = QueryAnswer((0.1,))
    made.run(2)
    assert made.percent == 50
    made.answer = QueryAnswer((0.1, 0.3))
    made.run(2)
    assert (made.champion, made.percent) == ("1", 0)
    assert made.condition("RolledBack") == ("True", "QueryOutOfBounds")


def test_a_champion_under_which_an_answer_leaves_its_bounds_gives_way_and_an_outage_is_no_reason() -> None:
    made = world({"immediate": {}}, rollback=DRIFT)
    made.run(3)
    assert made.champion == "2"
    for nothing in (None, QueryAnswer(fault="it does not answer"), QueryAnswer((float("nan"),))):
        made.answer = nothing
        made.run(5)
        assert made.champion == "2"
    made.answer = QueryAnswer((0.3,))
    made.run(3)
    assert made.champion == "1"
    assert made.condition("RolledBack") == ("True", "QueryOutOfBounds")


DRIFTING = {"windows": 6, "drifted": 5}
STEADY = {"windows": 20, "drifted": 1}
ON_DRIFT = {"onDrift": True, "windowSeconds": 600}


def of_versions(**counts: dict[str, int]) -> Counts:
    """What version 1 and 2 did."""
    return lambda number: counts.get(f"v{number}", {})


@pytest.mark.parametrize("rollout", [CANARY, SHADOW, {"immediate": {}}])
def test_a_version_whose_traffic_drifts_gives_way_where_that_is_asked_for(rollout: dict[str, Any]) -> None:
    made = world(rollout, rollback=ON_DRIFT)
    made.counts = of_versions(v1=STEADY, v2=DRIFTING)
    made.run(20)
    assert made.condition("RolledBack") == ("True", "TrafficDrifted")
    assert made.champion == "1"


def test_a_champion_whose_traffic_drifts_within_its_window_gives_way() -> None:
    made = world({"immediate": {}}, rollback=ON_DRIFT)
    made.versions = (1,)
    made.counts = of_versions(v1=STEADY)
    made.run(2)
    assert made.condition("Drifted") == ("False", "NoDrift")
    made.versions = (1, 2)
    made.run(20)
    assert (made.champion, made.condition("Drifted")) == ("2", ("Unknown", "NotJudged"))
    made.counts = of_versions(v1=STEADY, v2=DRIFTING)
    made.run(20)
    assert made.condition("RolledBack") == ("True", "TrafficDrifted")
    assert (made.champion, made.alias, made.condition("Drifted")) == ("1", "1", ("False", "NoDrift"))


@pytest.mark.parametrize("rollout", [CANARY, {"immediate": {}}])
def test_traffic_that_drifts_from_what_the_version_before_knows_too_is_no_reason_to_go_back(
    rollout: dict[str, Any],
) -> None:
    made = world(rollout, rollback=ON_DRIFT)
    made.counts = of_versions(v1=DRIFTING, v2=DRIFTING)
    made.versions = (1,)
    made.run(2)
    assert made.condition("Drifted") == ("True", "TrafficDrifted")
    made.versions = (1, 2)
    made.run(200)
    assert made.champion == "2"
    assert made.condition("RolledBack")[0] != "True"
    assert made.condition("Drifted") == ("True", "TrafficDrifted")


def test_drift_is_told_where_nothing_follows_from_it_and_told_again_when_it_is_over() -> None:
    made = world({"immediate": {}})
    made.counts = of_versions(v1=DRIFTING, v2=DRIFTING)
    made.run(20)
    assert (made.champion, made.condition("Drifted")) == ("2", ("True", "TrafficDrifted"))
    made.counts = of_versions(v2={"windows": 20, "drifted": 6})
    before = made.seen.status
    made.run(20)
    assert made.seen.status == before, "more of the same is not written again"
    made.counts = of_versions(v2=STEADY)
    made.run(2)
    assert made.condition("Drifted") == ("False", "NoDrift")


def test_windows_that_false_alarms_explain_are_no_drift() -> None:
    made = world({"immediate": {}}, rollback=ON_DRIFT)
    for windows, drifted in ((1, 1), (2, 1), (20, 3)):
        made.counts = of_versions(v2={"windows": windows, "drifted": drifted})
        made.run(20)
        assert (made.champion, made.condition("Drifted")) == ("2", ("False", "NoDrift"))


@pytest.mark.parametrize("spec", [{}, {"rollback": ROLLBACK}])
def test_without_a_rollback_or_after_its_window_the_champion_stays(spec: dict[str, Any]) -> None:
    made = world({"immediate": {}}, **spec)
    made.run(3)
    made.step(700)
    made.counts = lambda _: {"requests": 200, "errors": 200}
    made.run(5)
    assert made.champion == "2"
