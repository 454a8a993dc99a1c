"""How far a running step is, from what its pod says of itself."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from modelyard_api.v1alpha1.dataset_status import LoadProgress
from modelyard_operator.objects.steps import Page

_LONGEST_SECONDS = 365 * 86400


def load_progress(page: Page) -> LoadProgress:
    """Rows, share, speed and time left of the phase at hand; speed and time left only where they can be told."""
    said = page.progress
    seconds = (page.at - _aware(said.since)).total_seconds()
    rate = said.done / seconds if said.done > 0 and seconds >= 1 else None
    total = said.total
    left = None
    if rate and total is not None:
        left = min(math.ceil(max(total - said.done, 0) / rate), _LONGEST_SECONDS)
    percent = None
    if total:
        percent = f"{min(100 * said.done / total, 100):.0f}"
    return LoadProgress(
        phase=said.phase[:63],
        rows=said.done,
        total_rows=total,
        percent=percent,
        rows_per_second=round(rate) if rate else None,
        estimated_seconds_remaining=left,
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
