"""What is wrong with a spec, said so that its author can put it right."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from modelyard_api.v1alpha1.common import Json

_LONGEST_VALUE = 120
_LONGEST_LIST = 12


@dataclass(frozen=True)
class Problem:
    """One fault of a spec."""

    path: str
    """Field, for example ``spec.pipeline.estimator.params.n_estimators``."""
    value: Json
    message: str
    """What is wrong, without field and value."""
    remedy: str
    """What to do."""

    def sentence(self) -> str:
        """Field, value, fault and remedy as one text for a condition."""
        text = json.dumps(self.value, ensure_ascii=False, default=str)
        shown = text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
        return f"{self.path}: {shown} {self.message}. {self.remedy}".strip()


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice on what may have been meant: the most similar names, else all of a short list."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(by_lower[match] for match in close)}?"
    names = sorted(by_lower.values())
    shown = ", ".join(names[:_LONGEST_LIST])
    return f"Known: {shown}{', …' if len(names) > _LONGEST_LIST else ''}"
