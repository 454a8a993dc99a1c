"""Entry point of server pods."""

from __future__ import annotations

import os
import sys

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Runs the server; returns its exit status."""
    # Libraries read these when they are imported. A row is answered sooner by one thread than by several that
    # must first be woken, and a sum of one thread is always the same.
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    from modelyard_server.run import run  # noqa: PLC0415  after the threads are settled

    return run(os.environ)


if __name__ == "__main__":
    sys.exit(main())
