"""Rules, the determinism check and retention as steps of a Dataset that is really loaded."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelyard_api.contract.outcome import LoadOutcome, Outcome, SweepOutcome, VerifyOutcome
from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import (
    CREDENTIALS_VARIABLE,
    MLFLOW_PASSWORD,
    MLFLOW_USERNAME,
    LoadStep,
    Published,
    Step,
    SweepStep,
    VerifyStep,
)
from modelyard_api.v1alpha1.sources import BuiltinName
from modelyard_api.v1alpha1.validation import Rule
from modelyard_loader.dispatch import carry_out
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.rebuild import rebuilt
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import InvalidSpecError
from modelyard_runtime.table import load_version
from modelyard_runtime.versions import Reference, resolve_version, versions
from tests.support.loading import LoaderRun
from tests.support.mlflow import MLflowProject, MLflowServer

_VARIANTS = [
    {"name": "v1"},
    {"name": "v2", "from": "v1", "transforms": [{"filter": {"where": "petal_length > 1.5"}}]},
    {"name": "v3", "from": "v2", "transforms": [{"dedupe": {"columns": ["petal_length"]}}]},
    {"name": "other", "transforms": [{"derive": {"column": "area", "as": "petal_length * petal_width"}}]},
]
_PERCENTS = ("40", "60", "80", "100")


@pytest.fixture
def iris(loader: LoaderRun) -> LoaderRun:
    """The loader with a small data set."""
    return replace(loader, source=BuiltinName.IRIS, name="iris")


def step_of(run: LoaderRun, number: int, *rules: dict[str, Any]) -> LoadStep:
    """Load ``number`` of four."""
    update = {
        "sequence": number,
        "percent": _PERCENTS[number - 1],
        "validation": [Rule.model_validate(rule) for rule in rules],
    }
    return run.step(_VARIANTS).model_copy(update=update)


def loaded(run: LoaderRun, number: int, *rules: dict[str, Any]) -> LoadOutcome:
    """What load ``number`` answers."""
    return run.here(step_of(run, number, *rules))


def judgements(run: LoaderRun) -> list[tuple[object, ...]]:
    """What is in data_rules."""
    with run.postgres.administrator() as connection:
        return connection.execute(
            "SELECT sequence, variant, rule, observed, passed "  # noqa: S608
            f"FROM {run.project.schema}.data_rules ORDER BY judged_at, variant, rule"
        ).fetchall()


def published(run: LoaderRun) -> list[tuple[str, int]]:
    """Variant and load of every version that is published."""
    store = run.s3.store(run.project.schema)
    found = [versions(store, run.name, name) for name in ("v1", "v2", "v3", "other")]
    return [(each.variant, each.sequence) for pointers in found for each in pointers]


def test_versions_that_keep_their_rules_are_published_and_every_judgement_is_kept(iris: LoaderRun) -> None:
    rules = (
        {"rule": "rowCount", "mustBeGreaterThan": "50"},
        {"rule": "nullValues", "column": "petal_length"},
        {"rule": "range", "column": "petal_length", "min": "1.5", "variant": "v2"},
        {"rule": "duplicateValues", "column": "petal_length", "variant": "v3"},
        {"rule": "range", "column": "petal_width", "max": "1", "severity": "Warning", "unit": "percent"},
        {"rule": "sql", "query": "SELECT max(area) FROM rows", "variant": "other", "mustBeLessThan": "20"},
    )
    outcome = loaded(iris, 1, *rules)
    assert [each.name for each in outcome.variants] == ["v1", "v2", "v3", "other"]
    assert outcome.validation is not None
    assert (outcome.validation.passed, outcome.validation.warnings, outcome.validation.errors) == (5, 1, 0)
    (broken,) = outcome.validation.broken
    assert (broken.rule, broken.variant, broken.required) == ("range(petal_width)", "v1", "= 0 %")
    assert len(judgements(iris)) == 6
    loaded(iris, 1, *rules)
    assert len(judgements(iris)) == 6


def test_every_judgement_comes_back_from_s3_where_postgres_lost_it(iris: LoaderRun) -> None:
    loaded(iris, 1, {"rule": "rowCount"})
    loaded(iris, 2, {"rule": "rowCount"}, {"rule": "range", "column": "petal_length", "max": "3"})
    told = judgements(iris)
    assert len(told) == 3
    with iris.postgres.administrator() as connection:
        connection.execute(f"DELETE FROM {iris.project.schema}.data_rules WHERE sequence = 2")  # noqa: S608
    postgres = Postgres(iris.step().postgres, Login(iris.project.username, iris.project.password))
    store, owner = iris.s3.store(iris.project.schema), iris.step().owner
    assert rebuilt(postgres, store, owner).repaired == ("data_rules lacked 2 rows",)
    assert judgements(iris) == told
    assert rebuilt(postgres, store, owner).repaired == ()
    with iris.postgres.administrator() as connection:
        connection.execute(f"DROP SCHEMA {iris.project.schema} CASCADE")
    iris.postgres.make_project(iris.project.schema)
    loaded(iris, 2, {"rule": "rowCount"})
    assert judgements(iris) == told


def test_a_first_load_that_breaks_a_rule_publishes_nothing_and_loses_nothing(iris: LoaderRun) -> None:
    broken = loaded(iris, 1, {"rule": "range", "column": "petal_length", "max": "3"})
    assert [each.name for each in broken.variants] == ["other"]
    assert broken.rows == 60
    assert broken.validation is not None
    assert broken.validation.errors == 1
    assert published(iris) == [("other", 1)]
    ((_, variant, rule, observed, passed),) = judgements(iris)
    assert (variant, rule, passed) == ("v1", "range(petal_length)", False)
    assert int(str(observed)) > 0
    corrected = loaded(iris, 1, {"rule": "range", "column": "petal_length", "max": "7"})
    assert corrected.audit_head == broken.audit_head
    assert [each.name for each in corrected.variants] == ["v1", "v2", "v3", "other"]
    assert len(published(iris)) == 4


def test_a_later_load_that_breaks_a_rule_leaves_the_last_good_version(iris: LoaderRun) -> None:
    rule = {"rule": "rowCount", "mustBeLessThan": "70", "variant": "v2"}
    good = {each.name: each for each in loaded(iris, 1, rule).variants}
    outcome = loaded(iris, 2, rule, {"rule": "rowCount", "variant": "v3", "mustBeLessThan": "1000"})
    kept = {each.name: each for each in outcome.variants}
    assert outcome.rows == 90
    assert [kept[name].sequence for name in ("v1", "v2", "v3", "other")] == [None, 1, 1, None]
    assert [kept[name].digest for name in ("v2", "v3")] == [good[name].digest for name in ("v2", "v3")]
    assert kept["v1"].rows == 90
    assert published(iris) == [("v1", 1), ("v1", 2), ("v2", 1), ("v3", 1), ("other", 1), ("other", 2)]
    healed = loaded(iris, 3, {**rule, "mustBeLessThan": "1000"})
    assert [each.sequence for each in healed.variants] == [None] * 4


def test_a_rule_that_does_not_fit_the_columns_is_refused_before_anything_is_loaded(iris: LoaderRun) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        loaded(iris, 1, {"rule": "rowCount"}, {"rule": "nullValues", "column": "area", "variant": "v3"})
    assert caught.value.message == "spec.validation[1].column = 'area': is not a column of variant v3"
    store = iris.s3.store(iris.project.schema)
    assert not [key for key in store.keys(iris.project.schema) if "/staging/" not in key]
    with iris.postgres.administrator() as connection:
        table = connection.execute("SELECT to_regclass(%s)", [f"{iris.project.schema}.iris"]).fetchone()
    assert table == (None,)


def carried_out(
    run: LoaderRun, step: Step, *, tracking: MLflowProject | None = None, hours: int = 0
) -> Outcome:
    """What a step answers, by a clock that goes so many hours fast."""
    secrets = run.mounted()
    if tracking is not None:
        (secrets / MLFLOW_USERNAME).write_text(tracking.login.username)
        (secrets / MLFLOW_PASSWORD).write_text(tracking.login.password)
    environment = {CREDENTIALS_VARIABLE: str(secrets), PROGRESS_VARIABLE: "0"}
    return carry_out(step, environment, lambda: datetime.now(UTC) + timedelta(hours=hours))


def _work(run: LoaderRun) -> dict[str, Any]:
    load = run.step(_VARIANTS)
    return {
        name: getattr(load, name)
        for name in ("owner", "source", "primary_key", "variants", "split", "postgres", "s3")
    }


def verified(run: LoaderRun, names: Sequence[str], sequence: int) -> VerifyOutcome:
    """What the determinism check says of versions of one load."""
    store = run.s3.store(run.project.schema)
    found = [resolve_version(store, Reference(run.name, name, sequence=sequence)) for name in names]
    asked = [Published(variant=each.variant, digest=each.digest, uri=each.uri) for each in found]
    step = VerifyStep(**_work(run), sequence=sequence, versions=asked)
    outcome = carried_out(run, Step(verify=step)).verify
    assert outcome is not None
    return outcome


def swept(run: LoaderRun, tracking: MLflowProject, keep_last: int) -> SweepOutcome:
    """What retention removed."""
    step = SweepStep(**_work(run), keep_last=keep_last, mlflow=tracking.endpoint())
    outcome = carried_out(run, Step(sweep=step), tracking=tracking, hours=2).sweep
    assert outcome is not None
    return outcome


def test_every_version_of_a_dataset_that_grew_is_built_again_with_the_same_values(iris: LoaderRun) -> None:
    for number in (1, 2, 3):
        loaded(iris, number)
    for number in (1, 3):
        outcome = verified(iris, ["v1", "v2", "v3", "other"], number)
        assert (outcome.sequence, outcome.differing, outcome.skipped) == (number, [], [])


def test_a_dataset_goes_on_after_its_old_versions_were_removed(
    iris: LoaderRun, mlflow_server: MLflowServer, new_project: Callable[[], str]
) -> None:
    tracking = mlflow_server.make_project(new_project())
    for number in (1, 2, 3):
        loaded(iris, number)
    outcome = swept(iris, tracking, keep_last=1)
    assert (outcome.versions_kept, outcome.versions_removed) == (4, 8)
    assert published(iris) == [("v1", 3), ("v2", 3), ("v3", 3), ("other", 3)]
    last = loaded(iris, 4)
    assert last.rows == 150
    store = iris.s3.store(iris.project.schema)
    for name in ("v1", "v2", "v3", "other"):
        for number in (3, 4):
            # Reading proves every file and the content digest.
            load_version(resolve_version(store, Reference("iris", name, sequence=number)).uri, store)
    assert verified(iris, ["v1", "v2", "v3", "other"], 4).differing == []
