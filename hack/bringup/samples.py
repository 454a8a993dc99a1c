"""The samples: applied, waited for with what each says of itself, asked for a prediction, and seen by Prometheus."""

import json
import os
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

from bringup.charts import NAMESPACE
from bringup.cluster import Cluster
from bringup.context import Context
from bringup.errors import BringUpError
from bringup.forwarding import forwarded, request_json
from bringup.resources import Resource, read_resources
from bringup.tools import ensure_tools

PREDICTIONS = "modelyard_predictions_total"
PROMETHEUS = ("modelyard-prometheus", 9090)
_LIMIT_SECONDS = 1800.0
_LOOK_SECONDS = 1.0
_SCRAPE_SECONDS = 120.0


def sample_project() -> str:
    """The project, and so the namespace, that the samples are applied to."""
    return os.environ.get("MODELYARD_PROJECT", "demo")


def run_samples(context: Context, cluster: Cluster) -> None:
    """Applies the samples and returns when each has ended well and its predictions were scraped."""
    ensure_tools(context, ["kubectl"])
    project = sample_project()
    folder = context.paths.manifests / "samples"
    with context.reporter.step(
        f"samples: applying {folder.relative_to(context.paths.repository)} to {project}"
    ):
        cluster.run("samples", "kubectl", "apply", "--namespace", project, "--filename", str(folder))
    named = cluster.kubectl("get", "--namespace", project, "--filename", str(folder), "--output", "json")
    wanted = {r.title for r in map(Resource.parse, json.loads(named or '{"items": []}')["items"])}
    _Watch(context, cluster, project).until_done(wanted)
    promotions = [
        r for r in read_resources(cluster, project) if r.kind == "ModelPromotion" and r.title in wanted
    ]
    for promotion in promotions:
        _predict(context, cluster, promotion, folder / "requests" / f"{promotion.name}.json")
    _show_scrape(context, cluster, len(promotions))


class _Watch:
    """Says each change of each resource once, until all are done or one has failed for good."""

    def __init__(self, context: Context, cluster: Cluster, project: str) -> None:
        self._context = context
        self._cluster = cluster
        self._project = project
        self._said: dict[str, str] = {}

    def until_done(self, wanted: set[str]) -> None:
        reporter = self._context.reporter
        deadline = time.monotonic() + _LIMIT_SECONDS
        with reporter.step(f"samples: {len(wanted)} resources"):
            while True:
                seen = [r for r in read_resources(self._cluster, self._project) if r.title in wanted]
                for resource in seen:
                    self._tell(resource)
                waiting = [r.title for r in seen if not r.done]
                if len(seen) == len(wanted) and not waiting:
                    return
                if time.monotonic() > deadline:
                    raise BringUpError(f"not done after {_LIMIT_SECONDS:.0f} s: {', '.join(waiting)}")
                reporter.detail(f"waiting for {', '.join(waiting)}")
                time.sleep(_LOOK_SECONDS)

    def _tell(self, resource: Resource) -> None:
        if self._said.get(resource.title) != resource.word:
            self._said[resource.title] = resource.word
            mark = "✓" if resource.done else "·"
            self._context.reporter.say(f"    {mark} {resource.title}: {resource.word}")
        if resource.failed:
            look = f"kubectl describe {resource.kind.lower()} {resource.name} --namespace {self._project}"
            raise BringUpError(f"{resource.title} failed. {resource.word}\n  more: {look}")


def _predict(context: Context, cluster: Cluster, promotion: Resource, file: Path) -> None:
    address = urlsplit(str(promotion.status.get("url", "")))
    service = (address.hostname or promotion.name).split(".")[0]
    if not file.is_file():
        raise BringUpError(f"there is no example request {file} for {promotion.title}")
    body = file.read_bytes()
    with forwarded(cluster, sample_project(), service, address.port or 80) as url:
        answer = request_json(f"{url}/predict", body)
    shown = " ".join(body.decode().split())
    context.reporter.say(f"  curl {address.geturl()}/predict --json '{shown}'\n    {json.dumps(answer)}")


def _show_scrape(context: Context, cluster: Cluster, models: int) -> None:
    """Waits until Prometheus has counted a prediction of every model, and shows its answer."""
    service, port = PROMETHEUS
    query = f'{PREDICTIONS}{{namespace="{sample_project()}"}}'
    deadline = time.monotonic() + _SCRAPE_SECONDS
    with (
        context.reporter.step(f"samples: Prometheus scraping {PREDICTIONS}"),
        forwarded(cluster, NAMESPACE, service, port) as url,
    ):
        while True:
            answer = request_json(f"{url}/api/v1/query?query={quote(query)}")
            series = answer["data"]["result"]
            counted = {one["metric"].get("model") for one in series if float(one["value"][1]) > 0}
            if len(counted) >= models:
                break
            if time.monotonic() > deadline:
                raise BringUpError(
                    f"Prometheus has counted predictions of {len(counted)} models, not of {models}"
                )
            time.sleep(_LOOK_SECONDS)
    context.reporter.say(f"  {query}")
    for one in series:
        labels = ", ".join(
            f"{k}={v}" for k, v in sorted(one["metric"].items()) if k.startswith(("model", "version"))
        )
        context.reporter.say(f"    {{{labels}}} {one['value'][1]}")
