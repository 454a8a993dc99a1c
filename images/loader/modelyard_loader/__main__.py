"""Entry point of the image: one step, or as the warm loader one small step after the other."""

from __future__ import annotations

import os
import sys
from functools import partial

from modelyard_api.contract.warm import WARM_ARGUMENT
from modelyard_loader.dispatch import carry_out
from modelyard_loader.warm.run import run_warm
from modelyard_runtime.exit import end, run_step

if __name__ == "__main__":
    if sys.argv[1:] == [WARM_ARGUMENT]:
        sys.exit(run_warm(os.environ))
    end(run_step(partial(carry_out, environment=os.environ), os.environ))
