"""``python -m modelyard_operator``: puts the parts together and runs them until a signal or a fatal fault."""

from __future__ import annotations

import asyncio
import sys

from modelyard_operator.handlers.lifecycle import configure_logging, run_operator
from modelyard_operator.settings import Settings


def main() -> None:
    """Reads the settings and runs. Exits with 1 where something fatal happened, so that the pod starts anew."""
    settings = Settings()
    configure_logging(settings.log_level)
    sys.exit(asyncio.run(run_operator(settings)))


if __name__ == "__main__":
    main()
