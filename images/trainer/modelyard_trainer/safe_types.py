"""Which types a stored model may hold beyond those that skops itself trusts."""

from __future__ import annotations

_PACKAGES = ("numpy.", "scipy.", "sklearn.")
_NEVER = (
    "numpy.f2py.",
    "numpy.distutils.",
    "numpy.testing.",
    "scipy.weave.",
    "sklearn.datasets.",
    "sklearn.utils.",
)
_ALSO = frozenset({"sklearn.utils._bunch.Bunch"})
"""A dict whose keys are attributes too: votes and stacks keep their estimators in one."""


def loadable(name: str) -> bool:
    """Whether the trainer loads a type again from a file that it has just written."""
    return name in _ALSO or (name.startswith(_PACKAGES) and not name.startswith(_NEVER))
