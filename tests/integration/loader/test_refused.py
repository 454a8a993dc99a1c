"""What a load cannot do is said with field, value and remedy, and nothing is left half done."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from modelyard_api.contract.exit_codes import ExitCode, FailureClass
from modelyard_api.contract.outcome import Failure
from modelyard_api.contract.steps import LoadStep
from modelyard_api.v1alpha1.sources import BuiltinName
from modelyard_loader.load import Loader
from modelyard_loader.surroundings import Surroundings
from modelyard_loader.working_copy.connection import Postgres
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import PlatformError
from modelyard_runtime.retry import Patience
from modelyard_runtime.s3 import ObjectStore, Outage
from tests.integration.loader.test_california import outcome_of
from tests.support.loading import Finished, LoaderRun
from tests.support.ports import free_port

_V1 = [{"name": "v1"}]


@pytest.fixture
def iris(loader: LoaderRun) -> LoaderRun:
    """The loader with a small data set."""
    return replace(loader, source=BuiltinName.IRIS, name="iris")


def failure_of(finished: Finished, status: ExitCode) -> Failure:
    """The failure of a load that ended with ``status``."""
    assert finished.exit_status == status, finished.log
    assert finished.outcome is not None
    assert finished.outcome.failure is not None
    assert "Traceback" not in finished.outcome.encode().decode()
    return finished.outcome.failure


def _filtered(where: str) -> Sequence[object]:
    return [{"name": "v1", "transforms": [{"filter": {"where": where}}]}]


@pytest.mark.parametrize(
    ("where", "message", "remedy"),
    [
        ("petal_lenght > 1", "unknown column petal_lenght", "Did you mean petal_length or sepal_length?"),
        ("random() > 0.5", "function random is not allowed", "Use operators, CASE and the functions abs, "),
        (
            "petal_length > 1; drop table iris",
            "holds 2 statements",
            "Write one expression without a semicolon",
        ),
        ("petal_length", "gives DOUBLE, not true or false", "Write a condition"),
    ],
)
def test_a_bad_expression_is_refused_before_anything_is_written(
    iris: LoaderRun, where: str, message: str, remedy: str
) -> None:
    failure = failure_of(iris.run(iris.step(_filtered(where))), ExitCode.INVALID_SPEC)
    assert failure.failure_class is FailureClass.INVALID_SPEC
    assert failure.message == f"spec.variants v1.transforms[0].filter.where = {where!r}: {message}"
    assert failure.remedy.startswith(remedy)
    assert not list(iris.s3.store(iris.project.schema).keys(iris.project.schema))


def test_a_key_that_names_two_rows_is_refused_with_column_and_value(iris: LoaderRun) -> None:
    run = replace(iris, primary_key=["species"])
    failure = failure_of(run.run(run.step(_V1)), ExitCode.DATA)
    assert failure.message == "primaryKey species = 'setosa': names more than one row; 150 rows share 3 names"


def test_a_value_that_does_not_fit_names_its_transform(iris: LoaderRun) -> None:
    documents = [
        {"name": "v1", "transforms": [{"derive": {"column": "number", "as": "cast(species as double)"}}]}
    ]
    failure = failure_of(iris.run(iris.step(documents)), ExitCode.DATA)
    assert failure.message.startswith("spec.variants v1.transforms[0].derive: a value does not fit")


def test_a_spec_that_was_corrected_goes_on_with_the_rows_that_are_there(iris: LoaderRun) -> None:
    first = outcome_of(iris.run(iris.step(_V1)))
    failure_of(iris.run(iris.step(_filtered("nothing > 1"), generation=2)), ExitCode.INVALID_SPEC)
    third = outcome_of(iris.run(iris.step(_filtered("petal_length > 5"), generation=3)))
    assert third.audit_head == first.audit_head
    assert [each.rows for each in third.variants] == [42]


def test_the_table_of_a_deleted_dataset_of_the_same_name_is_kept_under_its_uid(iris: LoaderRun) -> None:
    old = replace(iris, uid="0a1b2c3d-0000-4000-8000-000000000000")
    new = replace(iris, uid="4e5f6a7b-0000-4000-8000-000000000000")
    first, second = (outcome_of(run.run(run.step(_V1))) for run in (old, new))
    assert first.variants[0].digest == second.variants[0].digest
    assert first.audit_head != second.audit_head
    schema = iris.project.schema
    with iris.postgres.administrator() as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'iris%%' ORDER BY 1",
            [schema],
        ).fetchall()
        heads = connection.execute(
            f"SELECT dataset_uid, sequence FROM {schema}.data_loads ORDER BY dataset_uid"  # noqa: S608
        ).fetchall()
    assert tables == [("iris",), ("iris_0a1b2c3d",)]
    assert heads == [(old.uid, 1), (new.uid, 1)]


def test_a_table_that_someone_else_made_is_left_alone(iris: LoaderRun) -> None:
    with iris.postgres.administrator() as connection:
        connection.execute(f"CREATE TABLE {iris.project.schema}.iris (a integer)")
    failure = failure_of(iris.run(iris.step(_V1)), ExitCode.INVALID_SPEC)
    assert "has a table iris that Modelyard did not make" in failure.message


def test_a_ledger_that_was_rewritten_is_noticed(iris: LoaderRun) -> None:
    outcome_of(iris.run(iris.step(_V1)))
    with iris.postgres.administrator() as connection:
        connection.execute(f"UPDATE {iris.project.schema}.data_loads SET accepted = 151")  # noqa: S608
    failure = failure_of(iris.run(iris.step(_V1)), ExitCode.DATA)
    assert failure.message.endswith("data_loads, sequence 1: the entry is not the one that was written")


def test_a_role_without_rights_is_a_failure_of_the_platform(iris: LoaderRun) -> None:
    with iris.postgres.administrator() as connection:
        connection.execute(f"REVOKE USAGE ON SCHEMA {iris.project.schema} FROM {iris.project.username}")
    failure = failure_of(iris.run(iris.step(_V1)), ExitCode.PLATFORM)
    assert failure.message == (
        f"schema {iris.project.schema}: permission denied for schema {iris.project.schema}"
    )


def test_a_project_that_is_not_provisioned_yet_is_waited_for(iris: LoaderRun) -> None:
    with iris.postgres.administrator() as connection:
        connection.execute(f"DROP TABLE {iris.project.schema}.data_loads CASCADE")
    failure = failure_of(iris.run(iris.step(_V1)), ExitCode.PLATFORM)
    assert failure.message.endswith(f'relation "{iris.project.schema}.data_loads" does not exist')
    assert failure.remedy == "Wait for the project's provisioning, or repair the rights of its role"


def _short_of_patience(loader: LoaderRun, step: LoadStep, login: Login) -> Loader:
    postgres = Postgres(
        step.postgres, Login(loader.project.username, loader.project.password), Patience(total=1)
    )
    store = ObjectStore(step.s3, login, Outage(total=1, connect=1, retries=1))
    return Loader(step, Surroundings(store, postgres, loader.directory))


def test_a_postgres_that_stays_away_is_a_failure_of_the_platform(iris: LoaderRun) -> None:
    step = iris.step(_V1)
    away = step.postgres.model_copy(update={"port": free_port()})
    loader = _short_of_patience(iris, step.model_copy(update={"postgres": away}), iris.s3.login)
    with pytest.raises(PlatformError, match=f"Postgres at 127.0.0.1:{away.port}: no answer") as caught:
        loader.run()
    assert iris.project.password not in str(caught.value)


def test_a_store_that_stays_away_is_a_failure_of_the_platform(iris: LoaderRun) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    step = iris.step(_V1)
    away = step.model_copy(update={"s3": iris.s3.endpoint(iris.project.schema, url)})
    with pytest.raises(PlatformError, match=f"S3 at {url} did not answer"):
        _short_of_patience(iris, away, iris.s3.login).run()


def test_a_credential_that_the_store_refuses_is_a_failure_of_the_platform(iris: LoaderRun) -> None:
    loader = _short_of_patience(iris, iris.step(_V1), Login(iris.s3.login.username, "wrong secret"))
    with pytest.raises(PlatformError, match="refuses the project's credential"):
        loader.run()
