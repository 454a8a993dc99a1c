"""A real Prometheus on the loopback, with the chart's rules."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bringup.context import Context
from bringup.debian import unpacked
from tests.support import plain
from tests.support.ports import free_port
from tests.support.queries import RULES
from tests.support.waiting import until

_START_SECONDS = 60.0
_CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
- job_name: pods
  static_configs:
  - targets: ["127.0.0.1:{port}"]
    labels: {{namespace: demo, promotion: housing, pod: housing-1, component: server}}
"""


def prometheus_binary() -> Path:
    """The program from the path, else from Debian's package, which is unpacked and not installed."""
    found = shutil.which("prometheus")
    return Path(found) if found else unpacked(Context.here(), "prometheus") / "usr/bin/prometheus"


@contextmanager
def running_prometheus(directory: Path, scraped_port: int) -> Iterator[httpx.Client]:
    """A server that scrapes a pod at this port as the chart's does, and a client of it, for the time of the block."""
    port = free_port()
    configuration = directory / "prometheus.yml"
    configuration.write_text(_CONFIGURATION.format(rules=RULES, port=scraped_port))
    argv: list[str | Path] = [
        prometheus_binary(),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (directory / "prometheus.log").open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        with plain.client(address) as client:

            def ready() -> bool:
                if process.poll() is not None:
                    raise RuntimeError((directory / "prometheus.log").read_text()[-2000:])
                try:
                    return client.get("/-/ready").is_success
                except httpx.HTTPError:
                    return False

            until(ready, _START_SECONDS, "Prometheus being ready")
            yield client
    finally:
        process.terminate()
        process.wait(30)
