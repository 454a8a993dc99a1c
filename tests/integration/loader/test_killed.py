"""A loader that is killed, or whose stores go away, repeats nothing and loses nothing."""

import signal

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_runtime.exit import STOPPED
from tests.integration.loader.test_california import outcome_of
from tests.support.gate import Gate
from tests.support.loading import LoaderRun
from tests.support.waiting import until

_ONE_LOAD = (20640, 20640, 1, 20640)


def counted(loader: LoaderRun) -> tuple[object, ...] | None:
    """Rows, different rows, ledger entries and rows that they name; None before there is a table."""
    schema = loader.project.schema
    with loader.postgres.administrator() as connection:
        made = connection.execute("SELECT to_regclass(%s)", [f"{schema}.california_housing"]).fetchone()
        if made is None or made[0] is None:
            return None
        rows = f'SELECT count(*), count(DISTINCT "row") FROM {schema}.california_housing'  # noqa: S608
        entries = f"SELECT count(*), sum(total_rows)::bigint FROM {schema}.data_loads WHERE dataset_uid = %s"  # noqa: S608
        counts = connection.execute(rows).fetchone(), connection.execute(entries, [loader.uid]).fetchone()
    return tuple(number for count in counts for number in count or ())


def test_a_second_run_of_a_finished_step_gives_the_same_answer_and_writes_nothing(loader: LoaderRun) -> None:
    first = outcome_of(loader.run())
    store = loader.s3.store(loader.project.schema)
    written = set(store.keys(loader.project.schema))
    assert outcome_of(loader.run()) == first
    assert set(store.keys(loader.project.schema)) == written
    assert counted(loader) == _ONE_LOAD


def test_killed_between_commit_and_publishing_it_goes_on_from_the_commit(loader: LoaderRun) -> None:
    step = loader.step()
    with Gate.before(loader.s3.port, b"/manifests/") as gate:
        project = loader.project.schema
        slow = loader.start(step.model_copy(update={"s3": loader.s3.endpoint(project, gate.url)}))
        assert gate.reached.wait(60)
        slow.kill()
    assert counted(loader) == _ONE_LOAD
    store = loader.s3.store(loader.project.schema)
    assert not [key for key in store.keys(loader.project.schema) if "/manifests/" in key]
    outcome = outcome_of(loader.run())
    assert [each.rows for each in outcome.variants] == [20640, 9261, 9261]
    assert counted(loader) == _ONE_LOAD


def test_killed_before_the_batch_is_on_s3_it_has_left_nothing(loader: LoaderRun) -> None:
    step = loader.step()
    with Gate.before(loader.s3.port, b"/batches/") as gate:
        project = loader.project.schema
        slow = loader.start(step.model_copy(update={"s3": loader.s3.endpoint(project, gate.url)}))
        assert gate.reached.wait(60)
        slow.kill()
    assert counted(loader) is None
    outcome_of(loader.run())
    assert counted(loader) == _ONE_LOAD


def _waiting_for_a_lock(loader: LoaderRun) -> bool:
    with loader.postgres.administrator() as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'",
            [loader.project.username],
        ).fetchone()
    return found == (1,)


def test_killed_after_the_rows_but_before_the_commit_it_has_left_no_row(loader: LoaderRun) -> None:
    schema = loader.project.schema
    with loader.postgres.administrator() as connection, connection.transaction():
        # The ledger may be read but not written: the loader comes as far as its entry.
        connection.execute(f"LOCK TABLE {schema}.data_loads IN SHARE MODE")
        slow = loader.start(loader.step())
        until(lambda: _waiting_for_a_lock(loader), 60, "the loader waiting to write its entry")
        slow.kill()
    assert counted(loader) is None
    outcome_of(loader.run())
    assert counted(loader) == _ONE_LOAD


def test_asked_to_stop_it_says_so_and_leaves_no_row(loader: LoaderRun) -> None:
    schema = loader.project.schema
    with loader.postgres.administrator() as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {schema}.data_loads IN SHARE MODE")
        slow = loader.start(loader.step())
        until(lambda: _waiting_for_a_lock(loader), 60, "the loader waiting to write its entry")
        slow.process.send_signal(signal.SIGTERM)
        finished = loader.finish(slow, seconds=25)
    assert finished.exit_status == STOPPED, finished.log
    assert finished.outcome is not None
    assert finished.outcome.failure is not None
    assert finished.outcome.failure.failure_class is FailureClass.EVICTED
    assert counted(loader) is None


def test_two_loaders_of_one_dataset_load_it_once(loader: LoaderRun) -> None:
    first, second = (loader.start(loader.step()) for _ in range(2))
    for started in (first, second):
        finished = loader.finish(started)
        assert finished.exit_status == 0, finished.log
    assert counted(loader) == _ONE_LOAD


def test_postgres_restarted_in_the_middle_of_a_load_is_waited_for(loader: LoaderRun) -> None:
    with Gate.before(loader.s3.port, b"/batches/") as gate:
        project = loader.project.schema
        step = loader.step()
        doomed = loader.start(step.model_copy(update={"s3": loader.s3.endpoint(project, gate.url)}))
        assert gate.reached.wait(60)
        doomed.kill()
    loader.postgres.stop()
    try:
        waiting = loader.start(loader.step())
        until(lambda: "trying again" in waiting.log, 60, "the loader noticing the outage")
    finally:
        loader.postgres.start()
    outcome_of(loader.finish(waiting))
    assert counted(loader) == _ONE_LOAD
