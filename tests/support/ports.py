"""Ports of the loopback."""

import random
import socket
from contextlib import suppress
from pathlib import Path

_LOWEST = 10_240
_FOR_CLIENTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port that nobody listens on now, and that the kernel gives to no connection before somebody does."""
    below = int(_FOR_CLIENTS.read_text().split()[0])
    while True:
        port = random.randrange(_LOWEST, below)  # noqa: S311  any will do
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
