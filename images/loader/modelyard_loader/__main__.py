"""Entry point of the image."""

from __future__ import annotations

import os
import sys
from functools import partial

from modelyard_loader.load import load
from modelyard_runtime.exit import run_step

if __name__ == "__main__":
    sys.exit(run_step(partial(load, environment=os.environ), os.environ))
