"""``python -m modelyard_operator``: puts the parts together and runs them until a signal or a fatal fault."""

from __future__ import annotations

import asyncio
import gc
import sys

from modelyard_api.catalog import load_catalog
from modelyard_operator.handlers.lifecycle import configure_logging, run_operator
from modelyard_operator.settings import Settings

# Objects that wait for the next collection; thousands are alive anyway, so looking at all of them is dear.
_COLLECT_AFTER = (50_000, 20, 50)


def main() -> None:
    """Reads the settings and runs. Exits with 1 where something fatal happened, so that the pod starts anew."""
    settings = Settings()
    configure_logging(settings.log_level)
    # Else the first TrainingJob would wait for it.
    load_catalog()
    # What is imported stays: the collector need not walk it again and again.
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    sys.exit(asyncio.run(run_operator(settings)))


if __name__ == "__main__":
    main()
