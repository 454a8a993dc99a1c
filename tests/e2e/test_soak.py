"""A small share of `make soak`: nothing is lost and nothing mixed up while versions and pods change."""

import pytest

from tests.soak.running import Extent, soak
from tests.support.manifests import PROJECT, Project
from tests.support.platform import Platform

# With its fixtures and two trainings, on a machine that does other things too.
pytestmark = pytest.mark.timeout(900)


def test_no_request_fails_while_a_version_is_promoted_another_is_tried_and_a_pod_is_killed(
    platform: Platform,
) -> None:
    small = Extent(requests=1_000, changes=3, rate=100, connections=4, versions=2)
    found = soak(Project(platform.api, PROJECT), small, print)
    assert found.good, found.text()
    assert len(found.tally.versions) == 2
