"""The pod's entry point."""

from __future__ import annotations

import logging
import os

from modelyard_runtime.exit import end, run_step
from modelyard_trainer.steps import work
from modelyard_trainer.stopping import end_soon_after_sigterm


def main() -> int:
    """Carries out the step of the environment; the exit status tells the class of a failure."""
    # One line a request says nothing that the answers do not, and would fill the tail that users see.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    end_soon_after_sigterm(os.environ)
    return run_step(lambda step: work(step, os.environ), os.environ)


if __name__ == "__main__":
    end(main())
