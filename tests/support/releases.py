"""Installing, changing and removing releases of the charts, as an administrator does it."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bringup.paths import REPOSITORY
from tests.support.kubectl import Command
from tests.support.platform import Platform

CHARTS = REPOSITORY / "charts"
CRDS = "modelyard-crds"
_INSTALL_SECONDS = 420
_REMOVE_SECONDS = 120


@dataclass(frozen=True)
class Helm:
    """Helm with the charts of this checkout."""

    command: Command

    def upgrade(self, platform: Platform, values: Mapping[str, object]) -> None:
        """Changes some values of a release and waits until everything of it is ready."""
        self._apply(platform, CHARTS / "modelyard", values, "upgrade", "--reset-then-reuse-values")

    def install_like(self, model: Platform, platform: Platform, values: Mapping[str, object]) -> None:
        """Installs another release with the values given to the first one, such as its images, and waits."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            words = ("get", "values", model.release, "--namespace", model.namespace, "--output", "json")
            file.write(self.command.run(*words))
            file.flush()
            verb = ("install", "--create-namespace", "--values", file.name)
            self._apply(platform, CHARTS / "modelyard", values, *verb)

    def install_crds(self, namespace: str) -> None:
        """Installs the definitions of the three kinds."""
        where = ("--namespace", namespace, "--create-namespace")
        self.command.run("install", CRDS, CHARTS / CRDS, *where, seconds=60)

    def uninstall(self, namespace: str, release: str, seconds: float = _REMOVE_SECONDS) -> None:
        """Removes a release and waits until what it made is gone."""
        limit = f"{int(seconds)}s"
        self.command.run(
            "uninstall", release, "--namespace", namespace, "--wait", "--timeout", limit, seconds=seconds + 10
        )

    def values(self, namespace: str, release: str) -> dict[str, object]:
        """All values of a release, those of the chart among them."""
        words = ("get", "values", release, "--namespace", namespace, "--all", "--output", "json")
        found: dict[str, object] = json.loads(self.command.run(*words))
        return found

    def namespace_of(self, release: str) -> str | None:
        """Namespace in which a release is installed."""
        releases = json.loads(self.command.run("list", "--all-namespaces", "--output", "json"))
        return next((str(r["namespace"]) for r in releases if r["name"] == release), None)

    def _apply(self, platform: Platform, chart: Path, values: Mapping[str, object], *verb: str) -> None:
        where = ("--namespace", platform.namespace, "--values", "-")
        limit = ("--wait", "--wait-for-jobs", "--timeout", f"{_INSTALL_SECONDS}s")
        self.command.run(
            *verb,
            platform.release,
            chart,
            *where,
            *limit,
            text=json.dumps(values),
            seconds=_INSTALL_SECONDS + 30,
        )


def projects_of(helm: Helm, platform: Platform) -> list[str]:
    """Names of the projects that a release serves."""
    projects = helm.values(platform.namespace, platform.release)["projects"]
    assert isinstance(projects, list)
    return [str(project["name"]) for project in projects]
