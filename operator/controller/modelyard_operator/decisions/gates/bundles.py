"""Gates on what the candidate's bundle says of itself: its signature, and the libraries that it was trained with."""

from __future__ import annotations

from modelyard_api.contract.outcome import InspectionOutcome
from modelyard_api.v1alpha1.gates import Gate
from modelyard_operator.decisions.gates.kind import REQUIRED_LENGTH, GateFacts, Kind, Seen, pending
from modelyard_operator.objects.gates import Evidence, Wanted

_INSPECTION = Wanted(inspection=True)


def _see_signature(gate: Gate, facts: GateFacts) -> Seen:
    del gate
    if facts.rival is None:
        return Seen(facts.unrivalled, passed=True)
    found = facts.evidence.inspection.found
    if found is None:
        return _unknown(facts.evidence.inspection)
    if found.signature:
        return Seen("; ".join(found.signature), passed=False)
    return Seen(f"the same {found.inputs} inputs and the same output", passed=True)


def _see_environment(gate: Gate, facts: GateFacts) -> Seen:
    del gate
    found = facts.evidence.inspection.found
    if found is None:
        return _unknown(facts.evidence.inspection)
    if found.environment:
        return Seen("; ".join(found.environment), passed=False)
    return Seen(f"the same versions of {found.libraries} libraries", passed=True)


def _unknown(evidence: Evidence[InspectionOutcome]) -> Seen:
    if evidence.fault:
        return Seen(
            f"not looked at: {evidence.fault}", passed=False, remedy="An edit of the spec tries again"
        )
    return pending(evidence.waiting)


def _image(facts: GateFacts) -> str:
    """The image without its registry; so that another image is another requirement, its end is kept."""
    return facts.evidence.server_image.rpartition("/")[2][-(REQUIRED_LENGTH - 30) :]


SIGNATURE = Kind(
    name=lambda _gate: "signature",
    required=lambda _gate, facts: (
        f"requests and answers of version {facts.champion} stay valid" if facts.champion else "nothing yet"
    ),
    see=_see_signature,
    remedy="Train with the champion's inputs and labels, or serve this version in another stage",
    wants=lambda _gate, facts: _INSPECTION if facts.rival is not None else Wanted(),
    durable=True,
)
ENVIRONMENT = Kind(
    name=lambda _gate: "environment",
    required=lambda _gate, facts: f"the libraries of {_image(facts)}",
    see=_see_environment,
    remedy="Train the version anew with the trainer of this release, or install that one's server",
    wants=lambda _gate, _facts: _INSPECTION,
    durable=True,
)
