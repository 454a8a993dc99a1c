"""The bucket and the credentials of projects, on real stores."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from minio import Minio
from minio.error import S3Error

from modelyard_provisioner import store
from modelyard_provisioner.credentials import Credentials, Login
from modelyard_provisioner.errors import ProvisioningError, UnavailableError
from tests.integration.provisioner.conftest import files_of_project, mounted, plan_for
from tests.support.postgres import PostgresServer
from tests.support.s3 import S3Server

BUCKET = "provisioned"


def credentials_for(directory: Path, server: S3Server, names: list[str]) -> Credentials:
    files = {"store/access-key": server.login.username, "store/secret-key": server.login.password}
    for name in names:
        files |= files_of_project(name)
    return mounted(directory, files)


def client(server: S3Server, login: Login) -> Minio:
    return Minio(
        endpoint=f"127.0.0.1:{server.port}",
        access_key=login.name,
        secret_key=login.secret,
        secure=False,
        region="us-east-1",
    )


def put(client: Minio, key: str) -> None:
    client.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(b"x"), length=1)


def test_the_bucket_is_made_once_on_every_store(
    s3_server: S3Server, postgres_server: PostgresServer, new_name: Callable[[], str], tmp_path: Path
) -> None:
    names = [new_name()]
    plan = plan_for(names, postgres_server, s3_server)
    credentials = credentials_for(tmp_path, s3_server, names)
    store.provision(plan, credentials)
    administrator = client(s3_server, credentials.store_administrator())
    put(administrator, "kept")
    store.provision(plan, credentials)
    assert [item.object_name for item in administrator.list_objects(bucket_name=BUCKET)] == ["kept"]
    administrator.remove_object(bucket_name=BUCKET, object_name="kept")


def test_a_project_reads_and_writes_under_its_prefix_only(
    minio_server: S3Server, postgres_server: PostgresServer, new_name: Callable[[], str], tmp_path: Path
) -> None:
    one, other = new_name(), new_name()
    credentials = credentials_for(tmp_path, minio_server, [one, other])
    store.provision(plan_for([one, other], postgres_server, minio_server), credentials)
    mine, theirs = (client(minio_server, credentials.project_store(name)) for name in (one, other))
    put(mine, f"{one}/datasets/a")
    put(theirs, f"{other}/datasets/a")

    assert [
        o.object_name for o in mine.list_objects(bucket_name=BUCKET, prefix=f"{one}/", recursive=True)
    ] == [f"{one}/datasets/a"]
    for key in (f"{other}/datasets/b", f"{one}-twin/a", "mlflow/a", "a"):
        with pytest.raises(S3Error, match="AccessDenied"):
            put(mine, key)
    with pytest.raises(S3Error, match="AccessDenied"):
        mine.get_object(bucket_name=BUCKET, object_name=f"{other}/datasets/a")
    for prefix in ("", f"{other}/"):
        with pytest.raises(S3Error, match="AccessDenied"):
            list(mine.list_objects(bucket_name=BUCKET, prefix=prefix))


def test_a_refused_administrator_is_no_reason_to_wait(
    minio_server: S3Server, postgres_server: PostgresServer, new_name: Callable[[], str], tmp_path: Path
) -> None:
    names = [new_name()]
    credentials = credentials_for(tmp_path, minio_server, names)
    mounted(tmp_path, {"store/secret-key": "certainly another one"})
    with pytest.raises(ProvisioningError) as caught:
        store.provision(plan_for(names, postgres_server, minio_server), credentials)
    assert not isinstance(caught.value, UnavailableError)


def test_a_store_that_is_not_there_yet_is_waited_for(
    minio_server: S3Server, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    plan = plan_for([], postgres_server, minio_server)
    absent = plan.model_copy(
        update={"store": plan.store.model_copy(update={"endpoint_url": "http://127.0.0.1:1"})}
    )
    with pytest.raises(UnavailableError):
        store.provision(absent, credentials_for(tmp_path, minio_server, []))
