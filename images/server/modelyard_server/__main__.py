"""Entry point of server pods, and of pods that look at a candidate with the server's eyes."""

from __future__ import annotations

import os
import sys

from modelyard_api.contract.steps import STEP_VARIABLE

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Carries out a step where there is one, else runs the server; returns the exit status."""
    # Libraries read these when they are imported. A row is answered sooner by one thread than by several that
    # must first be woken, and a sum of one thread is always the same.
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    if STEP_VARIABLE in os.environ:
        from modelyard_server.inspection import carry_out  # noqa: PLC0415  no server needs it

        return carry_out(os.environ)
    from modelyard_server.run import run  # noqa: PLC0415  after the threads are settled

    return run(os.environ)


if __name__ == "__main__":
    sys.exit(main())
