"""ModelPromotion: candidate, gates, alias, route, until all pods serve the champion."""

from __future__ import annotations

from modelyard_operator.cluster.store import Key
from modelyard_operator.reconcilers.context import DONE, Context, Next


async def reconcile_promotion(context: Context, key: Key) -> Next:
    """Brings one ModelPromotion a step further."""
    del context, key
    return DONE
