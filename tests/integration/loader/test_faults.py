"""A service that goes away in the middle of a step is named at once; the step ends by itself as if nothing had been."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest

from modelyard_api.contract.exit_codes import ExitCode, FailureClass
from modelyard_api.contract.outcome import LoadOutcome
from modelyard_api.contract.progress import PROGRESS_PATH, PROGRESS_VARIABLE, StepProgress
from modelyard_api.contract.steps import LoadStep
from tests.integration.loader.test_california import outcome_of
from tests.integration.loader.test_killed import counted
from tests.integration.loader.test_refused import failure_of
from tests.support import plain
from tests.support.bad_inputs import Scene
from tests.support.disks import on_a_small_disk
from tests.support.loading import LoaderRun
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.waiting import until

_NAMED_SECONDS = 60.0
_ONE_LOAD = (20640, 20640, 1, 20640)


class Watched:
    """A loader at work and its page of progress."""

    def __init__(self, loader: LoaderRun, step: LoadStep) -> None:
        port = free_port()
        self._loader = loader
        self._url = f"http://127.0.0.1:{port}{PROGRESS_PATH}"
        self._started = loader.start(step, {PROGRESS_VARIABLE: str(port)})

    def until_it_waits_for(self, service: str) -> None:
        """Returns when the page names a service, and how it is reached."""
        until(lambda: service in self.page().waiting_for, _NAMED_SECONDS, f"the page naming {service}")

    def page(self) -> StepProgress:
        """What the page says; nothing while there is no page yet."""
        try:
            answer = plain.get(self._url)
        except httpx.TransportError as error:
            raise AssertionError from error
        return StepProgress.model_validate_json(answer.content)

    def outcome(self) -> LoadOutcome:
        """How it ended."""
        return outcome_of(self._loader.finish(self._started))


def contents(outcome: LoadOutcome) -> list[tuple[str, str]]:
    """Digest of each variant."""
    return [(each.name, each.digest) for each in outcome.variants]


@pytest.fixture(scope="session")
def undisturbed(
    postgres_server: PostgresServer,
    minio_server: object,
    new_project: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[tuple[str, str]]:
    """What the same step gives where nothing fails."""
    project = postgres_server.make_project(new_project())
    run = LoaderRun(tmp_path_factory.mktemp("undisturbed"), postgres_server, minio_server, project)  # type: ignore[arg-type]
    return contents(outcome_of(run.run()))


@contextmanager
def before_its_entry(loader: LoaderRun) -> Iterator[Watched]:
    """A step that has copied its rows and waits to write its entry of the ledger, for the time of the block."""
    schema = loader.project.schema
    with (
        loader.postgres.administrator() as connection,
        suppress(psycopg.OperationalError),
        connection.transaction(),
    ):
        connection.execute(f"LOCK TABLE {schema}.data_loads IN SHARE MODE")
        watched = Watched(loader, loader.step())
        until(lambda: _waits_for_a_lock(loader), 60, "the loader waiting to write its entry")
        yield watched


def _waits_for_a_lock(loader: LoaderRun) -> bool:
    with loader.postgres.administrator() as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'",
            [loader.project.username],
        ).fetchone()
    return found == (1,)


def test_s3_that_goes_away_in_the_middle_is_named_and_waited_for(
    loader: LoaderRun, undisturbed: list[tuple[str, str]]
) -> None:
    try:
        with before_its_entry(loader) as watched:
            loader.s3.stop()
        watched.until_it_waits_for(f"S3 at {loader.s3.url}")
    finally:
        loader.s3.start()
    assert contents(watched.outcome()) == undisturbed
    assert counted(loader) == _ONE_LOAD


def test_postgres_that_goes_away_in_the_middle_is_named_and_waited_for(
    loader: LoaderRun, undisturbed: list[tuple[str, str]]
) -> None:
    try:
        with before_its_entry(loader) as watched:
            loader.postgres.stop()
        watched.until_it_waits_for("Postgres at 127.0.0.1")
    finally:
        loader.postgres.start()
    assert contents(watched.outcome()) == undisturbed
    assert counted(loader) == _ONE_LOAD


def test_a_step_that_begins_while_both_are_away_waits_for_one_after_the_other(
    loader: LoaderRun, undisturbed: list[tuple[str, str]]
) -> None:
    loader.postgres.stop()
    loader.s3.stop()
    try:
        watched = Watched(loader, loader.step())
        watched.until_it_waits_for(" at ")
    finally:
        loader.postgres.start()
        loader.s3.start()
    assert contents(watched.outcome()) == undisturbed
    assert counted(loader) == _ONE_LOAD


def test_a_full_disk_is_named_and_a_step_with_room_ends_as_if_nothing_had_been(
    houses: Scene, tmp_path: Path
) -> None:
    rows = b"id,price\n" + b"".join(b"%d,%d.25\n" % (number, number % 97) for number in range(60_000))
    houses.put("large/rows.csv", rows)
    step = houses.another({"s3": {"uri": houses.uri("large/rows.csv")}})
    before = houses.record()
    small = tmp_path / "small"
    run = replace(houses.run, directory=tmp_path)
    full = run.start_cold(
        step, within=on_a_small_disk(small, "256k"), changes={"TMPDIR": str(small), PROGRESS_VARIABLE: "0"}
    )
    failure = failure_of(run.finish(full), ExitCode.PLATFORM)
    assert failure.failure_class is FailureClass.PLATFORM
    assert "large/rows.csv: there is no space left on the pod's disk" in failure.message
    assert failure.remedy.startswith("Raise resources.limits ephemeral-storage")
    assert houses.record() == before

    recovered = outcome_of(run.finish(run.start(step)))
    never_full = houses.carry_out(houses.another({"s3": {"uri": houses.uri("large/rows.csv")}}))
    assert never_full.load is not None
    assert recovered.rows == 60_000
    assert contents(recovered) == contents(never_full.load)
