"""A Dataset over its life on the cluster: a plan, a request, an edit, a rule that breaks, tables that go, an outage."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from modelyard_api.conditions import find_condition
from modelyard_api.v1alpha1.dataset_status import DatasetStatus, LoadStatus
from tests.support.kubeapi import DATASET, Kind
from tests.support.manifests import PROJECT, Project, dataset
from tests.support.platform import Platform
from tests.support.waiting import until

# With its fixtures, on a machine that does other things too.
pytestmark = pytest.mark.timeout(600)

STATEFUL_SETS = Kind("apis/apps/v1", "statefulsets")
TITLES = "titles-in-steps"
FLOWERS = "flowers-by-hand"
BY_HAND = {"initialPercent": "40", "incrementPercent": "30"}


@pytest.fixture(scope="module")
def project(platform: Platform) -> Project:
    return Project(platform.api, PROJECT)


@pytest.fixture(scope="module")
def titles(project: Project) -> Project:
    """The project with 40 % of product titles and two steps of 3 %, by interval."""
    plan = {"initialPercent": "40", "incrementPercent": "3", "targetPercent": "46", "intervalSeconds": 1}
    short = {"name": "short", "from": "v1", "transforms": [{"filter": {"where": "length(title) < 40"}}]}
    project.apply(
        dataset(
            TITLES, "product-titles", primaryKey=["product_id"], load=plan, variants=[{"name": "v1"}, short]
        )
    )
    project.await_reason(DATASET, TITLES, "Progressing", "Complete", 240)
    return project


@pytest.fixture(scope="module")
def flowers(project: Project) -> Project:
    """The project with 40 % of iris; what follows comes by hand."""
    project.apply(dataset(FLOWERS, load=BY_HAND))
    project.await_reason(DATASET, FLOWERS, "Progressing", "WaitingForStep")
    return project


def load_of(project: Project, name: str) -> LoadStatus:
    load = project.dataset(name).status.load
    assert load is not None
    return load


def await_load(project: Project, name: str, sequence: int) -> DatasetStatus:
    """The status, once this load is the last one."""

    def look() -> DatasetStatus | None:
        status = project.dataset(name).status
        return status if status.load is not None and status.load.sequence == sequence else None

    return until(look, 120, f"load {sequence} of {name}")


def annotate(project: Project, name: str, key: str, value: str) -> None:
    change = {"metadata": {"annotations": {f"modelyard.dev/{key}": value}}}
    assert project.api.merge(DATASET, project.name, name, change).is_success


def test_a_plan_ends_at_its_target_with_each_row_in_the_load_that_brought_it(
    platform: Platform, titles: Project
) -> None:
    load = load_of(titles, TITLES)
    assert (load.sequence, load.percent, load.next_time) == (3, "46", None)
    assert load.source_rows == 35_311
    with platform.postgres(PROJECT) as connection:
        counts = connection.execute(
            "SELECT load_sequence, count(*) FROM titles_in_steps GROUP BY 1 ORDER BY 1"
        ).fetchall()
        loads = connection.execute(
            "SELECT sequence, accepted FROM data_loads WHERE dataset_uid = %s ORDER BY 1",
            [titles.dataset(TITLES).metadata.uid],
        ).fetchall()
    assert counts == loads
    # 40, 43 and 46 % of 35,311, rounded up
    assert counts == [(1, 14_125), (2, 15_184 - 14_125), (3, 16_244 - 15_184)]
    assert load.rows == 16_244
    assert [variant.sequence for variant in titles.dataset(TITLES).status.variants] == [3, 3]


def test_tables_that_are_gone_are_made_again_from_s3_alone(platform: Platform, titles: Project) -> None:
    def rows() -> list[tuple[object, ...]]:
        with platform.postgres(PROJECT) as connection:
            query = "SELECT product_id, title, load_sequence FROM titles_in_steps ORDER BY product_id"
            return connection.execute(query).fetchall()

    before, head = rows(), load_of(titles, TITLES).audit_head
    with platform.postgres(PROJECT) as connection:
        connection.execute("DROP TABLE titles_in_steps CASCADE")
    annotate(titles, TITLES, "rebuild", "after the drop")
    titles.await_reason(DATASET, TITLES, "Loaded", "Rebuilt")
    assert rows() == before
    assert load_of(titles, TITLES).audit_head == head


def test_a_request_makes_one_step_and_an_edit_publishes_the_present_rows_anew(flowers: Project) -> None:
    first = load_of(flowers, FLOWERS)
    assert first.rows == 60
    annotate(flowers, FLOWERS, "load-now", "please")
    second = await_load(flowers, FLOWERS, 2)
    assert second.load is not None
    assert (second.load.rows, second.load.handled_request) == (105, "please")
    wide = {"name": "wide", "from": "v1", "transforms": [{"filter": {"where": "petal_width > 1"}}]}
    flowers.apply(dataset(FLOWERS, load=BY_HAND, variants=[{"name": "v1"}, wide]))
    flowers.await_reason(DATASET, FLOWERS, "Ready", "Published")
    status = flowers.dataset(FLOWERS).status
    assert status.load is not None
    assert (status.load.sequence, status.load.rows) == (2, 105)
    assert [(variant.name, variant.sequence) for variant in status.variants] == [("v1", 2), ("wide", 2)]


def test_a_rule_that_breaks_keeps_the_last_good_versions_ready(flowers: Project) -> None:
    good = {variant.name: variant.digest for variant in flowers.dataset(FLOWERS).status.variants}
    variants = [{"name": name} for name in good if name == "v1"]
    rules = [{"rule": "rowCount", "mustBeGreaterThan": "1000"}]
    flowers.apply(dataset(FLOWERS, load=BY_HAND, variants=variants, validation=rules))
    broken = flowers.await_reason(DATASET, FLOWERS, "Valid", "RulesBroken")
    assert "rowCount" in broken.message
    assert "1000" in broken.message
    flowers.await_true(DATASET, FLOWERS, "Ready", 30)
    (kept,) = flowers.dataset(FLOWERS).status.variants
    assert kept.digest == good["v1"]


@contextmanager
def without_postgres(platform: Platform) -> Iterator[None]:
    """Postgres is away for the time of the block."""

    def scale(replicas: int) -> None:
        name = f"{platform.release}-postgres"
        change = {"spec": {"replicas": replicas}}
        assert platform.api.merge(STATEFUL_SETS, platform.namespace, name, change).is_success

    scale(0)
    try:
        yield
    finally:
        scale(1)


def test_an_outage_is_named_within_a_minute_and_waited_out(platform: Platform, project: Project) -> None:
    name = "through-an-outage"
    with without_postgres(platform):
        project.apply(dataset(name))

        def named() -> str | None:
            ready = find_condition(project.dataset(name).status.conditions, "Ready")
            told = ready is not None and ready.reason in {"Platform", "Retrying"}
            return ready.message if told and ready is not None and "Postgres" in ready.message else None

        message = until(named, 60, "the outage being named")
    assert f"{platform.release}-postgres" in message
    project.await_true(DATASET, name, "Ready")
    assert load_of(project, name).rows == 150
