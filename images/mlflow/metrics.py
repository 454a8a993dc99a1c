# ruff: noqa: INP001  a program of its own
"""Serve the tracking server's metrics on a port of their own, because its own page asks for an administrator.

The server's processes write their counters to files in ``PROMETHEUS_MULTIPROC_DIR``; this adds them up at each scrape.
"""

import os
import signal
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector


def main() -> None:
    """Listen until the pod ends."""
    ends = {signal.SIGTERM, signal.SIGINT}
    # The kernel drops what the first process of a container neither handles nor holds back.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    directory = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    directory.mkdir(parents=True, exist_ok=True)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))
    start_http_server(int(os.environ.get("MODELYARD_METRICS_PORT", "9102")), registry=registry)
    signal.sigwait(ends)


if __name__ == "__main__":
    main()
