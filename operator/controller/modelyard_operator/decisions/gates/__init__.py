"""Whether a candidate may take charge: each gate says what it requires and what it saw."""

from modelyard_operator.decisions.gates.judging import Verdict, digest_of, judge, still_true, wanted
from modelyard_operator.decisions.gates.kind import GateFacts

__all__ = ["GateFacts", "Verdict", "digest_of", "judge", "still_true", "wanted"]
