"""The pod's entry point."""

from __future__ import annotations

import os
import sys

from modelyard_runtime.exit import run_step
from modelyard_trainer.train import work


def main() -> int:
    """Carries out the step of the environment; the exit status tells the class of a failure."""
    return run_step(lambda step: work(step, os.environ), os.environ)


if __name__ == "__main__":
    sys.exit(main())
