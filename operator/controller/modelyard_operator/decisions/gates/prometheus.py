"""A bound on what Prometheus answers. Whatever is no answer fails: what nobody measures is not known to be well."""

from __future__ import annotations

from hashlib import sha256

from modelyard_api.v1alpha1.gates import Gate, PrometheusGate
from modelyard_operator.decisions.gates.kind import (
    REQUIRED_LENGTH,
    GateFacts,
    Kind,
    Seen,
    bounds,
    pending,
    within,
)
from modelyard_operator.objects.gates import Wanted

_MARK_LENGTH = 8


def _asked(gate: Gate) -> PrometheusGate:
    assert gate.prometheus is not None  # noqa: S101  it is the chosen one
    return gate.prometheus


def _name(gate: Gate) -> str:
    """The query, cut where it is long, with a mark by which two long ones differ still."""
    query = _asked(gate).query
    name = f"prometheus {' '.join(query.split())}"
    if len(name) <= REQUIRED_LENGTH and name.endswith(query):
        return name
    mark = sha256(query.encode()).hexdigest()[:_MARK_LENGTH]
    return f"{name[: REQUIRED_LENGTH - _MARK_LENGTH - 3]}… #{mark}"


def _see(gate: Gate, facts: GateFacts) -> Seen:
    wanted = _asked(gate)
    answer = facts.evidence.answers.get(wanted.query)
    if answer is None:
        return pending("")
    if answer.fault or not answer.values:
        return Seen(answer.fault or "no data", passed=False)
    outside = [value for value in answer.values if not within(value, wanted.min, wanted.max)]
    shown = f"{(outside or answer.values)[0]:.6g}"
    if len(answer.values) > 1:
        shown += f", {len(outside)} of {len(answer.values)} series out of bounds"
    return Seen(shown, passed=not outside)


PROMETHEUS = Kind(
    name=_name,
    required=lambda gate, _facts: bounds(_asked(gate).min, _asked(gate).max),
    see=_see,
    remedy="It is asked again every 30 seconds",
    wants=lambda gate, _facts: Wanted(queries=(_asked(gate).query,)),
)
