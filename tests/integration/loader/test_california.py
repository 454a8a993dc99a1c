"""The sample data set from source to rows, record and outcome, on both stores."""

import math

import pyarrow as pa

from modelyard_api.contract.manifest import Manifest, manifest_uri, version_key
from modelyard_api.contract.outcome import LoadOutcome
from modelyard_runtime.table import Version, load_version
from tests.support.loading import Finished, LoaderRun
from tests.support.s3 import BUCKET


def outcome_of(finished: Finished) -> LoadOutcome:
    """The outcome of a load that ended well."""
    assert finished.exit_status == 0, finished.log
    assert finished.outcome is not None
    assert finished.outcome.load is not None
    return finished.outcome.load


def versions_of(loader: LoaderRun, outcome: LoadOutcome) -> dict[str, Version]:
    """Each variant, read back as training does."""
    project = loader.project.schema
    store = loader.s3.store(project)
    return {
        each.name: load_version(manifest_uri(BUCKET, project, loader.name, each.name, each.manifest), store)
        for each in outcome.variants
    }


def test_a_load_publishes_every_variant(loader_on_each_store: LoaderRun) -> None:
    loader = loader_on_each_store
    outcome = outcome_of(loader.run())
    shapes = [(each.name, each.rows, each.columns) for each in outcome.variants]
    assert shapes == [("v1", 20640, 9), ("v2", 9261, 9), ("v3", 9261, 13)]
    for name, version in versions_of(loader, outcome).items():
        published = next(each for each in outcome.variants if each.name == name)
        assert version.table.shape == (published.rows, published.columns + 1)
        assert version.manifest.content_digest == f"sha256:{published.digest}"
        assert version.manifest.audit_head == outcome.audit_head
        assert abs(version.is_test.mean() - 0.2) < 0.02


def test_variants_hold_what_their_transforms_say(loader: LoaderRun) -> None:
    versions = versions_of(loader, outcome_of(loader.run()))
    kept = [
        row
        for row in versions["v1"].table.to_pylist()
        if row["MedHouseVal"] <= 5.0 and row["Longitude"] < -119.0
    ]
    assert versions["v2"].table.to_pylist() == kept
    for row, found in zip(kept, versions["v3"].table.to_pylist(), strict=True):
        assert found["rooms_per_household"] == row["AveRooms"] * row["AveOccup"]
        assert found["bedrooms_ratio"] == row["AveBedrms"] / row["AveRooms"]
        assert found["population_density"] == row["Population"] / row["AveOccup"]
        edges = [0, 2.5, 4.5, 6.5, math.inf]
        category = next(number for number in range(4) if edges[number] < row["MedInc"] <= edges[number + 1])
        assert found["income_category_encoded"] == category


def test_the_working_copy_holds_the_rows_of_the_record(loader: LoaderRun) -> None:
    outcome = outcome_of(loader.run())
    version = versions_of(loader, outcome)["v1"]
    with loader.postgres.administrator() as connection:
        schema = loader.project.schema
        rows = connection.execute(
            f'SELECT * FROM {schema}.california_housing ORDER BY "row"'  # noqa: S608
        ).fetchall()
        ledger = connection.execute(
            "SELECT dataset, sequence, batch_name, percentage::text, total_rows, offered, accepted, rejected,"  # noqa: S608
            f" source_digest, generation, image, hash FROM {schema}.data_loads"
        ).fetchall()
    columns = version.table.column_names
    held = pa.table({name: [row[place] for row in rows] for place, name in enumerate(columns)})
    assert held.equals(version.table)
    assert {row[len(columns)] for row in rows} == {1}
    assert ledger == [
        (
            "california-housing",
            1,
            "california-housing-000001",
            "100",
            20640,
            20640,
            20640,
            0,
            outcome.source_digest,
            1,
            "modelyard/loader:tests",
            outcome.audit_head,
        )
    ]


def test_an_untransformed_variant_shares_the_files_of_the_batch(loader: LoaderRun) -> None:
    outcome = outcome_of(loader.run(loader.step([{"name": "v1"}, {"name": "v2", "from": "v1"}])))
    parts = {
        name: [part.uri for part in version.manifest.parts]
        for name, version in versions_of(loader, outcome).items()
    }
    assert parts["v1"] == parts["v2"]
    assert "/batches/" in parts["v1"][0]


def test_data_are_named_by_their_content_and_nothing_else_is_written(loader: LoaderRun) -> None:
    outcome = outcome_of(loader.run())
    project = loader.project.schema
    manifests: list[Manifest] = [each.manifest for each in versions_of(loader, outcome).values()]
    store = loader.s3.store(project)
    expected = {store.key(part.uri) for manifest in manifests for part in manifest.parts}
    expected |= {store.key(manifest.profile) for manifest in manifests if manifest.profile}
    expected |= {
        store.key(manifest_uri(BUCKET, project, loader.name, each.name, each.manifest))
        for each in outcome.variants
    }
    expected |= {
        version_key(project, loader.name, loader.uid, each.name, 1, each.manifest)
        for each in outcome.variants
    }
    records = f"{project}/datasets/{loader.name}/loads/{loader.uid}/"
    found = set(store.keys(project))
    assert {key for key in found if not key.startswith(records)} == expected
    assert [key.removeprefix(records) for key in found - expected] == [
        f"000001-{outcome.audit_head.removeprefix('sha256:')}.json"
    ]


def test_a_load_gives_the_same_content_in_another_project(
    loader: LoaderRun, loader_on_each_store: LoaderRun
) -> None:
    # In interpreters of their own, whose strings hash differently.
    contents = [
        [(each.name, each.digest) for each in outcome_of(run.run(cold=True)).variants]
        for run in (loader, loader_on_each_store)
    ]
    assert contents[0] == contents[1]
