"""A fitted model as bytes, and back."""

from __future__ import annotations

import skops.io
from sklearn.pipeline import Pipeline as FittablePipeline
from skops.io.exceptions import UnsupportedTypeException

from modelyard_trainer.fit import EstimatorError
from modelyard_trainer.safe_types import loadable
from modelyard_trainer.stable_archive import stable_archive


def dump(model: FittablePipeline) -> tuple[bytes, frozenset[str]]:
    """The model's file, and the types in it that skops does not trust by itself.

    Raises EstimatorError where the model holds what cannot be stored, or what is not loaded from a file.
    """
    try:
        content = stable_archive(skops.io.dumps(model))
    except (UnsupportedTypeException, TypeError, ValueError) as error:
        raise EstimatorError(f"the model cannot be stored: {error}", remedy="Use another class") from error
    untrusted = frozenset(skops.io.get_untrusted_types(data=content))
    strange = sorted(name for name in untrusted if not loadable(name))
    if strange:
        raise EstimatorError(
            f"the model holds {', '.join(strange[:5])}, which is not loaded from a file",
            remedy="Use a class or parameters without it",
        )
    return content, untrusted


def load(content: bytes, untrusted: frozenset[str]) -> FittablePipeline:
    """The model of a file that ``dump`` has just made."""
    loaded: FittablePipeline = skops.io.loads(content, trusted=sorted(untrusted))
    return loaded
