"""The route keeper, one look at a time, with a loader that a test steers."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard_api.contract.bundle import Bundle
from modelyard_api.contract.monitoring import LogSettings, MonitoringSettings
from modelyard_api.contract.route import Route, RoutedModel, Trial, TrialMode
from modelyard_runtime.errors import PlatformError
from modelyard_server.errors import BundleError
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.arriving import SupersededError, Wanted
from modelyard_server.models.loading import LoadedModel
from modelyard_server.models.scikit import SklearnPredictor
from modelyard_server.monitoring.logbook import Place
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.monitor import Monitor
from modelyard_server.routing import RouteKeeper
from modelyard_server.signature import Reader, Signature
from modelyard_server.state import ServerState
from tests.support.bundles import build_bundle, forest

FITTED = forest(trees=1)


class Loader:
    """Loads what it is not told to fail at, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.failures: dict[str, list[Exception]] = {}
        self.asked: list[str] = []
        self.tried: list[str] = []
        """What was to be loaded by another process first."""
        self.before: Callable[[], None] = lambda: None
        self.wait: Callable[[Wanted], None] = lambda _: None

    def __call__(self, wanted: Wanted) -> LoadedModel:
        routed = wanted.routed
        self.before()
        self.wait(wanted)
        if wanted.at_stake:
            self.tried.append(routed.version)
        self.asked.append(routed.version)
        failures = self.failures.get(routed.version)
        if failures:
            raise failures.pop(0)
        bundle = Bundle.model_validate(build_bundle(FITTED).document)
        signature = Signature(tuple(bundle.inputs))
        return LoadedModel(
            routed.model_digest,
            bundle,
            signature,
            Reader(signature),
            SklearnPredictor(FITTED.model),
            (),
            1e-4,
            "it is a test",
        )


class Kept:
    """A keeper with its file, its loader and its state."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "route.json"
        self.load = Loader()
        self.state = ServerState()
        self.metrics = ServerMetrics()
        settings = MonitoringSettings(log=LogSettings())
        place = Place("project", "shop", "pod")
        metrics = MonitoringMetrics(self.metrics.registry)
        files: dict[str, bytes] = {}
        self.monitor = Monitor(settings, place, files.__setitem__, metrics)
        self.keeper = RouteKeeper(self.path, self.load, self.state, self.metrics, self.monitor)

    def write(self, champion: str, previous: str | None = None, candidate: str | None = None) -> Route:
        route = Route(
            model_name="m",
            champion=version(champion),
            previous=version(previous) if previous else None,
            candidate=Trial(model=version(candidate), mode=TrialMode.CANARY, percent=10)
            if candidate
            else None,
        )
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(route.to_wire()))
        fresh.rename(self.path)
        return route

    def serves(self, route: Route) -> bool:
        return self.state.serving is not None and self.state.serving.route == route


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def version(number: str) -> RoutedModel:
    return RoutedModel(
        version=number, run_id=f"run{number}", model_digest=f"sha256:{number}", bundle_uri=f"s3://b/{number}"
    )


async def test_a_route_is_served_with_the_version_before_it(kept: Kept) -> None:
    route = kept.write("2", "1")
    await kept.keeper.look(now=0.0)
    assert kept.serves(route)
    assert kept.state.serving is not None
    assert kept.state.serving.versions == ["2", "1"]
    assert kept.state.error is None
    assert kept.state.ready


async def test_a_file_that_did_not_change_is_not_worked_on_again(kept: Kept) -> None:
    kept.write("1")
    await kept.keeper.look(now=0.0)
    await kept.keeper.look(now=100.0)
    assert kept.load.asked == ["1"]


async def test_what_is_held_is_not_loaded_again(kept: Kept) -> None:
    kept.write("1")
    await kept.keeper.look(now=0.0)
    kept.write("2", "1")
    await kept.keeper.look(now=1.0)
    back = kept.write("1", "2")
    await kept.keeper.look(now=2.0)
    assert kept.serves(back)
    assert kept.load.asked == ["1", "2"]


async def test_a_refused_bundle_keeps_the_champion_and_is_not_tried_again(kept: Kept) -> None:
    good = kept.write("1")
    await kept.keeper.look(now=0.0)
    kept.load.failures["2"] = [BundleError("bad bytes")] * 5
    wanted = kept.write("2", "1")
    for now in (1.0, 2.0, 50.0):
        await kept.keeper.look(now)
    assert kept.serves(good)
    state = kept.state.route_state()
    assert (state.route_digest, state.wanted_digest) == (good.digest(), wanted.digest())
    assert state.error == "version 2 of model m: bad bytes"
    assert kept.load.asked == ["1", "2"]


async def test_a_route_that_is_still_being_loaded_is_no_error(kept: Kept) -> None:
    kept.load.failures["1"] = [BundleError("bad bytes")]
    kept.write("1")
    await kept.keeper.look(now=0.0)
    kept.write("2")
    during: list[str | None] = []
    kept.load.before = lambda: during.append(kept.state.route_state().error)
    await kept.keeper.look(now=1.0)
    assert during == [None]


async def test_a_store_that_does_not_answer_is_tried_again_with_growing_pauses(kept: Kept) -> None:
    kept.load.failures["1"] = [PlatformError("no answer")] * 2
    route = kept.write("1")
    tried = []
    for tenth in range(60):
        before = len(kept.load.asked)
        await kept.keeper.look(tenth / 10)
        if len(kept.load.asked) > before:
            tried.append(tenth / 10)
    assert tried == [0.0, 1.0, 3.0]
    assert kept.serves(route)


async def test_a_newer_route_does_not_wait_for_the_pause_of_the_one_before(kept: Kept) -> None:
    kept.load.failures["1"] = [PlatformError("no answer")] * 9
    kept.write("1")
    await kept.keeper.look(now=0.0)
    newer = kept.write("2")
    await kept.keeper.look(now=0.1)
    assert kept.serves(newer)


async def test_a_load_without_end_keeps_nobody_from_the_next_route_and_is_not_begun_twice(kept: Kept) -> None:
    good = kept.write("1")
    await kept.keeper.look(now=0.0)
    begun, let = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        let.wait(30)

    kept.load.before = hold
    slow = kept.write("1", candidate="2")
    looking = asyncio.create_task(kept.keeper.look(now=1.0))
    await asyncio.to_thread(begun.wait, 30)
    assert kept.serves(good)
    newer = kept.write("1")
    await looking
    await kept.keeper.look(now=2.0)
    assert kept.serves(newer)
    kept.write("1", candidate="2")
    looking = asyncio.create_task(kept.keeper.look(now=3.0))
    let.set()
    await looking
    assert kept.serves(slow)
    assert kept.load.asked == ["1", "2"]


async def test_a_previous_version_that_cannot_be_loaded_is_done_without(kept: Kept) -> None:
    kept.load.failures["1"] = [BundleError("gone")]
    route = kept.write("2", "1")
    await kept.keeper.look(now=0.0)
    assert kept.serves(route)
    assert kept.state.serving is not None
    assert kept.state.serving.versions == ["2"]
    assert kept.state.error is None


async def test_the_metrics_follow_the_champion(kept: Kept) -> None:
    kept.write("1")
    await kept.keeper.look(now=0.0)
    kept.write("2", "1")
    await kept.keeper.look(now=1.0)
    text = kept.metrics.exposition().decode()
    assert 'modelyard_model_version{model="m"} 2.0' in text
    assert 'role="previous",run_id="run1",version="1"' in text
    assert 'modelyard_server_swaps_total{result="served"} 2.0' in text


async def test_a_missing_file_is_told_and_waited_for(kept: Kept) -> None:
    await kept.keeper.look(now=0.0)
    assert "cannot be read" in (kept.state.error or "")
    route = kept.write("1")
    await kept.keeper.look(now=0.5)
    assert kept.serves(route)


async def test_every_version_that_is_held_leaves_its_answers_to_the_monitor(kept: Kept) -> None:
    kept.write("2", previous="1", candidate="3")
    await kept.keeper.look(0.0)
    serving = kept.state.serving
    assert serving is not None
    assert [each.version for each in serving.held] == ["2", "3", "1"]
    assert all(each.tap is kept.monitor.tap for each in serving.held)


async def test_a_candidate_is_held_beside_the_champion_and_the_version_before_it(kept: Kept) -> None:
    kept.write("2", "1")
    await kept.keeper.look(now=0.0)
    route = kept.write("2", "1", candidate="3")
    await kept.keeper.look(now=1.0)
    assert kept.serves(route)
    assert kept.state.serving is not None
    assert kept.state.serving.versions == ["2", "3", "1"]
    assert [str(each.role) for each in kept.state.route_state().counts] == [
        "champion",
        "candidate",
        "previous",
    ]
    assert kept.load.asked == ["2", "1", "3"]


async def test_a_champion_does_not_wait_for_its_candidate(kept: Kept) -> None:
    kept.write("1", candidate="2")
    during: list[str | None] = []
    kept.load.before = lambda: during.append(kept.state.route_state().version)
    await kept.keeper.look(now=0.0)
    assert during == [None, "1"]


async def test_what_comes_while_requests_are_answered_is_tried_elsewhere_first_unless_it_was_in_charge_before(
    kept: Kept,
) -> None:
    kept.write("2", "1")
    await kept.keeper.look(now=0.0)
    assert kept.load.tried == []
    kept.write("2", "1", candidate="3")
    await kept.keeper.look(now=1.0)
    kept.write("4", "2")
    await kept.keeper.look(now=2.0)
    assert kept.load.tried == ["3", "4"]


async def test_a_load_that_nobody_waits_for_any_more_is_told_so(kept: Kept) -> None:
    kept.write("1")
    await kept.keeper.look(now=0.0)
    begun, told = threading.Event(), threading.Event()

    def wait(wanted: Wanted) -> None:
        begun.set()
        assert wanted.abandoned.wait(30)
        told.set()
        raise SupersededError

    kept.load.wait = wait
    kept.write("1", candidate="2")
    looking = asyncio.create_task(kept.keeper.look(now=1.0))
    await asyncio.to_thread(begun.wait, 30)
    kept.write("1")
    await looking
    assert await asyncio.to_thread(told.wait, 30)
    kept.load.wait = lambda _: None
    route = kept.write("1", candidate="2")
    for now in range(2, 20):
        await kept.keeper.look(float(now))
    assert kept.serves(route)


async def test_a_refused_candidate_leaves_the_champion_of_its_route_in_charge(kept: Kept) -> None:
    kept.load.failures["2"] = [BundleError("bad bytes")]
    wanted = kept.write("1", candidate="2")
    await kept.keeper.look(now=0.0)
    state = kept.state.route_state()
    assert (state.version, state.error) == ("1", "version 2 of model m: bad bytes")
    assert state.wanted_digest == wanted.digest() != state.route_digest
    assert kept.state.ready


async def test_a_candidate_takes_charge_without_being_loaded_again_and_its_counts_begin_anew(
    kept: Kept,
) -> None:
    kept.write("1", candidate="2")
    await kept.keeper.look(now=0.0)
    assert kept.state.serving is not None
    assert kept.state.serving.tried is not None
    kept.state.serving.tried.served.tally.requests = 40
    route = kept.write("2", "1")
    await kept.keeper.look(now=1.0)
    assert kept.serves(route)
    assert kept.load.asked == ["1", "2"]
    assert [each.requests for each in kept.state.route_state().counts] == [0, 0]


async def test_requests_of_a_rollout_are_counted_from_the_first_route_that_named_its_version(
    kept: Kept,
) -> None:
    kept.write("1")
    await kept.keeper.look(now=0.0)
    kept.state.count(200)
    kept.write("1", candidate="2")
    await kept.keeper.look(now=1.0)
    kept.state.count(200)
    kept.state.count(503)
    kept.write("2", "1")
    await kept.keeper.look(now=2.0)
    kept.state.count(200)
    state = kept.state.route_state()
    assert (state.requests, state.rollout_requests, state.rollout_errors) == (4, 3, 1)
