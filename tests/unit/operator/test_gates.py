"""Each kind of gate: what lets a candidate pass, what does not, and the text that people read."""

from dataclasses import replace
from typing import Any

import pytest

from modelyard_api.contract.outcome import ImprovementOutcome, InspectionOutcome, MetricChange
from modelyard_api.contract.steps import AskedMetric
from modelyard_api.v1alpha1.gates import Gate, GateResult
from modelyard_api.v1alpha1.model_promotion import CandidateStatus
from modelyard_operator.decisions.gates import GateFacts, digest_of, judge, still_true, wanted
from modelyard_operator.objects.gates import Evidence, GateEvidence, QueryAnswer

QUERY = "sum(up)"
RIVALS = GateFacts({}, "4", "3", GateEvidence(server_image="hub.example/modelyard/server:0.1.0"))


def gate(**chosen: Any) -> Gate:  # noqa: ANN401  JSON
    return Gate.model_validate(chosen)


def improved(at_least: float | None, **more: Any) -> GateFacts:  # noqa: ANN401
    change = MetricChange(
        metric="rmse",
        confidence="0.95",
        candidate=0.40,
        champion=0.45,
        better_by=0.05,
        at_least=at_least,
    )
    found = ImprovementOutcome(rows=4102, changes=[change], **more)
    return replace(RIVALS, evidence=GateEvidence(improvement=Evidence(found)))


def inspected(**more: Any) -> GateFacts:  # noqa: ANN401
    found = InspectionOutcome(inputs=12, libraries=7, **more)
    return replace(RIVALS, evidence=replace(RIVALS.evidence, inspection=Evidence(found)))


def answered(*values: float, fault: str = "") -> GateFacts:
    answers = {QUERY: QueryAnswer(values, fault)}
    return replace(RIVALS, evidence=GateEvidence(answers=answers))


BETTER = gate(improvement={"metric": "rmse"})
UP = gate(prometheus={"query": QUERY, "min": "1", "max": "3"})


@pytest.mark.parametrize(
    ("asked", "facts", "passed", "observed"),
    [
        (
            BETTER,
            improved(0.01),
            True,
            "0.4 after 0.45 on 4,102 common test rows, better by 0.05, by at least 0.01",
        ),
        (BETTER, improved(0.0), False, "by at least 0"),
        (BETTER, improved(-0.01), False, "better by 0.05, by at least -0.01"),
        (BETTER, improved(None), False, "draws of these rows tell nothing of this metric"),
        (
            BETTER,
            improved(0.01, refused="the champion was trained on 7"),
            False,
            "the champion was trained on 7",
        ),
        (BETTER, replace(RIVALS, champion=None), True, "no version is in charge yet"),
        (BETTER, replace(RIVALS, champion="4"), True, "it is in charge"),
        (BETTER, RIVALS, None, "being found out"),
        (
            BETTER,
            replace(RIVALS, evidence=GateEvidence(improvement=Evidence(fault="out of memory"))),
            False,
            "not compared: out of memory",
        ),
        (gate(improvement={"metric": "rmse", "minDelta": "0.02"}), improved(0.01), False, "by at least 0.01"),
        (
            gate(improvement={"metric": "rmse", "minDelta": "-0.02"}),
            improved(-0.01),
            True,
            "by at least -0.01",
        ),
        (gate(improvement={"metric": "mae"}), improved(0.01), False, "of another version"),
        (gate(improvement={"metric": "rmsle"}), improved(0.01), False, "no metric"),
        (gate(signature={}), inspected(), True, "the same 12 inputs and the same output"),
        (gate(signature={}), inspected(signature=['input "a" is gone']), False, 'input "a" is gone'),
        (gate(signature={}), replace(RIVALS, champion=None), True, "no version is in charge yet"),
        (gate(signature={}), RIVALS, None, "being found out"),
        (gate(environment={}), inspected(), True, "the same versions of 7 libraries"),
        (
            gate(environment={}),
            inspected(environment=["numpy 2, the server has 1"]),
            False,
            "the server has 1",
        ),
        (gate(environment={}), replace(RIVALS, champion=None), None, "being found out"),
        (UP, answered(2), True, "2"),
        (UP, answered(1, 3), True, "1, 0 of 2 series out of bounds"),
        (UP, answered(2, 7), False, "7, 1 of 2 series out of bounds"),
        (UP, answered(float("nan")), False, "nan"),
        (UP, answered(float("inf")), False, "inf"),
        (UP, answered(), False, "no data"),
        (UP, answered(fault="Prometheus did not answer within 5 seconds"), False, "did not answer"),
        (UP, RIVALS, None, "being found out"),
    ],
)
def test_a_gate_passes_fails_or_waits(
    asked: Gate,
    facts: GateFacts,
    passed: bool | None,  # noqa: FBT001  a column
    observed: str,
) -> None:
    verdict = judge([asked], facts)
    (result,) = verdict.results
    assert result.passed is passed
    assert observed in result.observed
    assert verdict.passed is (passed is True)
    assert verdict.pending is (passed is None)


def test_the_message_says_gate_observation_requirement_and_remedy() -> None:
    assert judge(
        [UP, BETTER],
        replace(
            improved(-0.01), evidence=replace(improved(-0.01).evidence, answers={QUERY: QueryAnswer((2.0,))})
        ),
    ).message == (
        "spec.gates[1]: improvement rmse: 0.4 after 0.45 on 4,102 common test rows, better by 0.05, by at least -0.01, "
        "required is better by more than 0 with confidence 0.95. Train a better version or change the gate"
    )
    assert judge([gate(environment={})], inspected(environment=["skops 1, the server has none"])).message == (
        "spec.gates[0]: environment: skops 1, the server has none, required is the libraries of server:0.1.0. "
        "Train the version anew with the trainer of this release, or install that one's server"
    )


def test_the_first_that_failed_is_the_reason_and_one_that_waits_only_where_none_failed() -> None:
    facts = replace(answered(9), metrics={"r2": 0.1})
    verdict = judge([BETTER, UP, gate(metric={"name": "r2", "min": "0.7"})], facts)
    assert [result.passed for result in verdict.results] == [None, False, False]
    assert verdict.reason == "GateFailed"
    assert verdict.message.startswith("spec.gates[1]: prometheus sum(up): 9, required is ≥ 1 and ≤ 3")
    waiting = judge([BETTER], facts)
    assert (waiting.reason, waiting.message) == (
        "TryingGates",
        "spec.gates[0]: improvement rmse: being found out",
    )


def test_a_metric_that_does_not_exist_is_told_before_anything_is_compared() -> None:
    asked = gate(improvement={"metric": "rmsle"})
    assert wanted([asked], RIVALS).metrics == ()
    assert judge([asked], RIVALS).message.startswith(
        "spec.gates[0]: improvement.metric: rmsle is not a metric. Known"
    )


def test_long_queries_are_cut_and_still_told_apart() -> None:
    names = [
        judge([gate(prometheus={"query": "a" * 300 + end, "min": "0"})], RIVALS).results[0].gate
        for end in "xy"
    ]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 128 for name in names)


def test_only_what_is_not_known_is_found_out() -> None:
    gates = [BETTER, gate(improvement={"metric": "mae", "confidence": "0.99"}), gate(signature={}), UP, UP]
    asked = wanted(gates, RIVALS)
    assert asked.metrics == (
        AskedMetric(metric="rmse", confidence="0.95"),
        AskedMetric(metric="mae", confidence="0.99"),
    )
    assert asked.inspection
    assert asked.queries == (QUERY,)
    first = wanted(gates, replace(RIVALS, champion=None))
    assert (first.metrics, first.inspection) == ((), False)
    assert wanted([gate(environment={})], replace(RIVALS, champion=None)).inspection


def tried(gates: list[Gate], facts: GateFacts, **more: Any) -> CandidateStatus:  # noqa: ANN401
    results: list[GateResult] = list(judge(gates, facts).results)
    return CandidateStatus(
        version=facts.version, gates=results, against=facts.rival, gates_digest=digest_of(gates), **more
    )


def test_what_two_versions_were_compared_for_is_not_done_again() -> None:
    gates = [BETTER, UP]
    before = tried(gates, improved(0.01))
    held = still_true(gates, RIVALS, before, edited=True)
    assert held == [before.gates[0], None]
    assert wanted(gates, RIVALS, held).metrics == ()
    assert judge(gates, answered(2), held).passed
    assert still_true(gates, replace(RIVALS, version="5"), before, edited=False) == []
    assert still_true(gates, replace(RIVALS, champion="2"), before, edited=False) == []
    harder = [gate(improvement={"metric": "rmse", "minDelta": "1"}), UP]
    assert still_true(harder, RIVALS, before, edited=True) == [None, None]


def test_what_failed_is_tried_again_once_the_spec_is_edited() -> None:
    before = tried([BETTER], improved(-1))
    assert still_true([BETTER], RIVALS, before, edited=False) == before.gates
    assert still_true([BETTER], RIVALS, before, edited=True) == [None]


def test_an_admitted_candidate_is_asked_nothing_more_unless_the_gates_are_others() -> None:
    gates = [UP, gate(signature={})]
    facts = replace(inspected(), evidence=replace(inspected().evidence, answers=answered(2).evidence.answers))
    before = tried(gates, facts, admitted_at="2026-03-01T12:00:00Z")
    in_charge = replace(RIVALS, champion="4")
    assert still_true(gates, in_charge, before, edited=True) == before.gates
    assert still_true([UP], in_charge, before, edited=True) == []
