"""`python -m tests.soak`: a million requests to one promotion of the cluster, to which everything happens meanwhile."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bringup.context import Context
from bringup.paths import REPOSITORY
from bringup.tools import ensure_tools
from tests.soak.running import Extent, soak
from tests.support.kubeapi import KubeApi, kube_api
from tests.support.kubectl import Command
from tests.support.manifests import Project
from tests.support.platform import Platform
from tests.support.releases import Helm, projects_of

_REPORT = REPOSITORY / "build" / "soak"


def main() -> int:
    """Prints how it goes, leaves the report in build/soak, and fails where a request did."""
    usual = Extent()
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=usual.requests, help="at least")
    parser.add_argument("--changes", type=int, default=usual.changes)
    parser.add_argument("--rate", type=float, default=usual.rate, help="requests a second at most")
    parser.add_argument("--connections", type=int, default=usual.connections)
    parser.add_argument("--versions", type=int, default=usual.versions, help="of the model, at least 2")
    parser.add_argument("--project", default="soak", help="which is emptied, and served if it is not yet")
    given = parser.parse_args()
    extent = Extent(given.requests, given.changes, given.rate, given.connections, given.versions)
    named = os.environ.get("MODELYARD_KUBECONFIG")
    kubeconfig = Path(named) if named else Context.here().paths.kubeconfig
    with kube_api(kubeconfig) as api:
        project = _served(api, kubeconfig, given.project)
        outcome = soak(project, extent, _say)
        project.empty()
    outcome.write(_REPORT)
    _say(outcome.text() + f"see {_REPORT}")
    return 0 if outcome.good else 1


def _served(api: KubeApi, kubeconfig: Path, name: str) -> Project:
    """An empty project of the installed release."""
    programs = ensure_tools(Context.here(), ["helm", "kubectl"])
    platform = Platform(api, Command(programs["kubectl"], kubeconfig))
    helm = Helm(Command(programs["helm"], kubeconfig))
    before = projects_of(helm, platform)
    if name not in before:
        helm.upgrade(platform, {"projects": [{"name": each} for each in (*before, name)]})
    platform.await_operator()
    project = Project(api, name)
    project.empty()
    return project


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)  # noqa: T201  a program for a terminal


if __name__ == "__main__":
    sys.exit(main())
