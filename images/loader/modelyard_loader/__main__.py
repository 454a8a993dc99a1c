"""Entry point of the image."""

from __future__ import annotations

import os
import sys
from functools import partial

from modelyard_loader.dispatch import carry_out
from modelyard_runtime.exit import run_step

if __name__ == "__main__":
    sys.exit(run_step(partial(carry_out, environment=os.environ), os.environ))
