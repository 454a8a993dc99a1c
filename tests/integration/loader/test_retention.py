"""Retention on real stores: what is referred to stays, what goes is listed, and a kill or an outage costs nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.manifest import Manifest, Recipe
from modelyard_api.contract.outcome import SweepOutcome
from modelyard_api.contract.steps import MLflowEndpoint, SweepStep
from modelyard_api.labels import TAG_DATASET_DIGEST
from modelyard_api.v1alpha1.dataset import Split
from modelyard_loader.retention import references
from modelyard_loader.retention.run import sweep
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.guard import publishing
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.credentials import Login
from modelyard_runtime.digest import content_digest
from modelyard_runtime.errors import PlatformError
from modelyard_runtime.manifests import read_manifest, write_manifest, write_part
from modelyard_runtime.retry import Patience
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.tracking import MLflowClient
from modelyard_runtime.versions import Reference, resolve_version, write_version
from tests.support.loading import LoaderRun
from tests.support.mlflow import MLflowProject, MLflowServer
from tests.support.ports import free_port

_LATER = timedelta(hours=2)


@dataclass(frozen=True)
class Yard:
    """A Dataset whose versions were made long ago, by the clock that the sweep is given."""

    run: LoaderRun
    tracking: MLflowProject

    @property
    def store(self) -> ObjectStore:
        return self.run.s3.store(self.run.project.schema)

    @property
    def postgres(self) -> Postgres:
        login = Login(self.run.project.username, self.run.project.password)
        return Postgres(self.run.step().postgres, login, Patience(total=1))

    @property
    def root(self) -> str:
        return f"{self.run.project.schema}/datasets/{self.run.name}"

    def keys(self, folder: str = "") -> list[str]:
        """Keys below the Dataset's prefix, those of the audit left out."""
        found = self.store.keys(f"{self.root}/{folder}".rstrip("/"))
        keys = (key.removeprefix(f"{self.root}/") for key in found)
        return sorted(key for key in keys if not key.startswith("audit/"))

    def publish(self, sequence: int, values: Sequence[int], variant: str = "v2") -> str:
        """Publishes a version with files of its own; returns its content digest."""
        table = pa.table({"row": pa.array(range(len(values)), pa.int64()), "x": pa.array(values, pa.int64())})
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer)
        part = write_part(
            self.store, f"{self.root}/variants/{variant}", bytes(buffer.getvalue()), table.num_rows
        )
        profile = f"{self.root}/profiles/{variant}/{part.sha256}.json"
        self.store.create(profile, b"{}")
        manifest = Manifest(
            project=self.run.project.schema,
            dataset=self.run.name,
            variant=variant,
            sequence=sequence,
            key=["row"],
            columns=canonical_columns(table.schema),
            rows=table.num_rows,
            parts=[part],
            recipe=Recipe(digest="0" * 64, engine="test"),
            content_digest=content_digest(table, ["row"]).root,
            split=Split(),
            audit_head="sha256:" + "0" * 64,
            profile=self.store.uri(profile),
        )
        written = write_manifest(self.store, manifest)
        write_version(self.store, self.run.name, self.run.uid, manifest, written.sha256)
        return manifest.content_digest

    def step(self, keep_last: int = 1, **fields: Any) -> SweepStep:  # noqa: ANN401  fields of the step
        """The step that the operator would ask for."""
        work = self.run.step().model_dump(include=set(SweepStep.model_fields), exclude_unset=True)
        return SweepStep(**{**work, "keep_last": keep_last, "mlflow": self.tracking.endpoint(), **fields})

    def sweep(
        self, step: SweepStep, *, later: timedelta = _LATER, store: ObjectStore | None = None
    ) -> SweepOutcome:
        """Carries a step out."""
        with MLflowClient(step.mlflow, self.tracking.login, Patience(total=1)) as client:
            outcome = sweep(
                step, store or self.store, self.postgres, client, lambda: datetime.now(UTC) + later
            )
        assert outcome.sweep is not None
        return outcome.sweep

    def listed(self) -> list[tuple[bool, int | None, str]]:
        """Rows of data_sweeps in order."""
        with self.run.postgres.administrator() as connection:
            rows = connection.execute(
                f"SELECT dry_run, sequence, uri FROM {self.run.project.schema}.data_sweeps ORDER BY at, sequence, uri"  # noqa: S608
            ).fetchall()
        return [(bool(dry), sequence, str(uri)) for dry, sequence, uri in rows]  # type: ignore[misc]


class Mlflow:
    """What a trainer leaves in MLflow, in short."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, path: str, **body: object) -> dict[str, Any]:
        """One call."""
        answer = self._client.post(f"/api/2.0/mlflow/{path}", json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def experiment(self, name: str) -> str:
        """A new experiment."""
        return str(self.ask("experiments/create", name=name)["experiment_id"])

    def run(self, experiment: str, digest: str) -> str:
        """A new run that was trained on a version."""
        tags = [{"key": TAG_DATASET_DIGEST, "value": digest}]
        made = self.ask("runs/create", experiment_id=experiment, start_time=0, tags=tags)
        return str(made["run"]["info"]["run_id"])

    def model(self, name: str, run: str, digest: str) -> None:
        """A new registered model with one version."""
        self.ask("registered-models/create", name=name)
        tags = [{"key": TAG_DATASET_DIGEST, "value": digest}]
        self.ask("model-versions/create", name=name, source=f"runs:/{run}/model", run_id=run, tags=tags)


def _yard(run: LoaderRun, mlflow_server: MLflowServer) -> Yard:
    return Yard(replace(run, name="rows"), mlflow_server.make_project(run.project.schema))


@pytest.fixture
def yard(loader: LoaderRun, mlflow_server: MLflowServer) -> Yard:
    """An empty project in all three services."""
    return _yard(loader, mlflow_server)


@pytest.fixture
def yard_on_each_store(loader_on_each_store: LoaderRun, mlflow_server: MLflowServer) -> Yard:
    """An empty project in all three services, on each store in turn."""
    return _yard(loader_on_each_store, mlflow_server)


@contextmanager
def tracked(yard: Yard) -> Iterator[Mlflow]:
    """The project's workspace."""
    with yard.tracking.tracking() as tracking:
        yield Mlflow(tracking.client)


def _track(yard: Yard, digests: Sequence[str]) -> None:
    """Two runs and two models refer to the first, third, fourth and fifth version; a run of the second is deleted."""
    with tracked(yard) as mlflow:
        experiments = [mlflow.experiment(name) for name in ("first", "second")]
        runs = [mlflow.run(experiments[n % 2], digests[n]) for n in (0, 1, 2)]
        mlflow.ask("runs/delete", run_id=runs[1])
        mlflow.run(experiments[0], "sha256:of another Dataset")
        for n, name in ((3, "early"), (4, "late")):
            mlflow.model(name, runs[0], digests[n])


def test_what_runs_and_models_refer_to_stays_and_the_rest_goes(
    yard_on_each_store: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = yard_on_each_store
    monkeypatch.setattr(references, "_PAGE", 2)
    monkeypatch.setattr(references, "_MODELS_PAGE", 1)
    digests = [yard.publish(sequence, [sequence] * 3) for sequence in range(1, 9)]
    batch = f"{yard.root}/batches/kept.parquet"
    yard.store.create(batch, b"rows of a load")
    _track(yard, digests)
    before = yard.keys()
    outcome = yard.sweep(yard.step(protected=[digests[5]]))
    left = [Reference("rows", "v2", sequence=sequence) for sequence in (1, 3, 4, 5, 6, 8)]
    assert [resolve_version(yard.store, each).digest for each in left] == [
        digests[n] for n in (0, 2, 3, 4, 5, 7)
    ]
    assert (outcome.versions_kept, outcome.versions_removed) == (6, 2)
    gone = set(before) - set(yard.keys())
    assert outcome.objects_removed == len(gone) == 8
    assert {key.split("/")[0] for key in gone} == {"versions", "manifests", "variants", "profiles"}
    assert yard.store.read(batch) == b"rows of a load"
    assert [(dry, sequence) for dry, sequence, _ in yard.listed() if sequence] == [(False, 2), (False, 7)]
    for each in left:
        version = resolve_version(yard.store, each)
        assert all(yard.store.size(yard.store.key(part.uri)) for part in _parts(yard.store, version.uri))


def _parts(store: ObjectStore, uri: str) -> Sequence[Any]:
    return read_manifest(store, uri).parts


def test_a_dry_run_lists_and_changes_nothing(yard: Yard) -> None:
    for sequence in (1, 2, 3):
        yard.publish(sequence, [sequence])
    before = list(yard.store.keys(yard.root))
    dry = yard.sweep(yard.step(dry_run=True))
    assert list(yard.store.keys(yard.root)) == before
    assert dry.dry_run
    listed = yard.listed()
    assert [sequence for _, sequence, _ in listed if sequence] == [1, 2]
    assert all(was_dry for was_dry, _, _ in listed)
    real = yard.sweep(yard.step())
    assert replace_dry(dry) == real
    assert {f"{uri}" for _, _, uri in listed} == {uri for was_dry, _, uri in yard.listed() if not was_dry}
    assert real.bytes_removed > 0


def replace_dry(outcome: SweepOutcome) -> SweepOutcome:
    """The outcome of a dry run as that of a real one."""
    return outcome.model_copy(update={"dry_run": False})


def test_a_second_sweep_has_nothing_to_do(yard: Yard) -> None:
    for sequence in (1, 2, 3):
        yard.publish(sequence, [sequence])
    yard.sweep(yard.step())
    again = yard.sweep(yard.step())
    assert (again.versions_kept, again.versions_removed, again.objects_removed, again.bytes_removed) == (
        1,
        0,
        0,
        0,
    )


def test_what_is_younger_than_an_hour_stays(yard: Yard) -> None:
    for sequence in (1, 2, 3):
        yard.publish(sequence, [sequence])
    outcome = yard.sweep(yard.step(), later=timedelta(minutes=50))
    assert (outcome.versions_removed, outcome.objects_removed) == (0, 0)


class KilledError(Exception):
    """The end of a pod, as a test does it."""


class MortalStore(ObjectStore):
    """A store that is seen for a number of removals, and then its user ends."""

    left = 0

    def delete(self, key: str) -> None:
        if self.left == 0:
            raise KilledError
        self.left -= 1
        super().delete(key)


def test_a_sweep_that_is_killed_at_any_removal_is_finished_by_the_next(yard: Yard) -> None:
    for sequence in (1, 2, 3):
        yard.publish(sequence, [sequence])
    doomed = yard.sweep(yard.step(dry_run=True)).objects_removed
    assert doomed == 8
    for removals in range(doomed):
        for sequence in (1, 2):
            yard.publish(sequence, [sequence])
        store = MortalStore(yard.store.endpoint, yard.run.s3.login)
        store.left = removals
        with pytest.raises(KilledError):
            yard.sweep(yard.step(), store=store)
        for entry in yard.store.entries(f"{yard.root}/versions"):
            # Whatever is still named can still be read.
            number = int(entry.key.rsplit("/", 1)[1].split("-")[0])
            version = resolve_version(yard.store, Reference("rows", "v2", sequence=number))
            assert all(yard.store.size(yard.store.key(part.uri)) for part in _parts(yard.store, version.uri))
        yard.sweep(yard.step())
        assert len(yard.keys()) == 4, removals


def test_an_mlflow_that_stays_away_keeps_everything(yard: Yard) -> None:
    for sequence in (1, 2, 3):
        yard.publish(sequence, [sequence])
    before = yard.keys()
    away = MLflowEndpoint(url=f"http://127.0.0.1:{free_port()}", workspace=yard.tracking.name)
    with pytest.raises(PlatformError, match=r"MLflow .* did not answer"):
        yard.sweep(yard.step(mlflow=away))
    assert yard.keys() == before
    assert not yard.listed()


def test_a_refused_account_keeps_everything(yard: Yard, new_project: Callable[[], str]) -> None:
    for sequence in (1, 2, 3):
        yard.publish(sequence, [sequence])
    before = yard.keys()
    stranger = replace(yard.tracking, login=Login(f"{new_project()}-nobody", "a password of nobody"))
    with pytest.raises(PlatformError, match="refuses the project's account"):
        replace(yard, tracking=stranger).sweep(yard.step())
    assert yard.keys() == before


def test_nothing_is_removed_while_a_version_is_being_published(yard: Yard) -> None:
    for sequence in (1, 2, 3):
        yard.publish(sequence, [sequence])
    before = yard.keys()
    with (
        publishing(yard.postgres, yard.step().owner),
        publishing(yard.postgres, yard.step().owner),
        pytest.raises(PlatformError, match="another step loads, publishes or removes versions"),
    ):
        yard.sweep(yard.step())
    assert yard.keys() == before
    assert yard.sweep(yard.step()).versions_removed == 2


def test_a_lock_whose_connection_breaks_is_a_failure_of_the_platform(loader: LoaderRun) -> None:
    login = Login(loader.project.username, loader.project.password)
    postgres = Postgres(loader.step().postgres, login, Patience(total=1))

    def broken() -> None:
        with postgres.session() as connection:
            with loader.postgres.administrator() as administrator:
                administrator.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
            connection.execute("SELECT 1")

    with pytest.raises(PlatformError, match="no answer"):
        broken()
