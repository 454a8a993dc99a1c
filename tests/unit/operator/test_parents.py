"""Datasets that are made from another one, and what refers to versions of a Dataset."""

from datetime import UTC, datetime
from typing import Any

from modelyard_api.v1alpha1.dataset_status import ParentVersion
from modelyard_api.v1alpha1.sources import DatasetSource
from modelyard_api.v1alpha1.training_job import DatasetVersion
from modelyard_operator.decisions.data_version import Waiting
from modelyard_operator.decisions.parents import circle, find_parent
from modelyard_operator.decisions.references import references_to
from modelyard_operator.objects.custom import DatasetObject
from modelyard_operator.objects.steps import References
from tests.unit.operator.making import dataset, promotion, training_job
from tests.unit.operator.stepping import Story, story

SOURCE = DatasetSource(name="houses", variant="v2")


def made_from(name: str, source: str) -> DatasetObject:
    return dataset(name, source={"dataset": {"name": source, "variant": "v1"}})


def published() -> DatasetObject:
    seen = story()
    seen.load()
    return seen.dataset


def of(*datasets: DatasetObject) -> Any:  # noqa: ANN401  a function
    return {item.metadata.name: item for item in datasets}.get


def test_the_latest_version_of_the_variant_is_the_source() -> None:
    ready = published()
    found = find_parent(SOURCE, ready)
    variant = ready.status.variants[1]
    assert found == ParentVersion(variant="v2", digest=variant.digest, uri=variant.uri)


def test_a_source_that_is_not_there_or_not_ready_is_waited_for_in_words() -> None:
    assert find_parent(SOURCE, None) == Waiting(
        "spec.source.dataset.name: the Dataset houses is not there. Loading goes on by itself once it is"
    )
    unready = find_parent(SOURCE, dataset())
    assert isinstance(unready, Waiting)
    assert "is not ready" in unready.message
    other = find_parent(DatasetSource(name="houses", variant="v9"), published())
    assert isinstance(other, Waiting)
    assert "has no variant v9, it has v1, v2" in other.message


def test_a_circle_is_told_with_every_name_and_a_chain_is_none() -> None:
    a, b, c = made_from("a", "b"), made_from("b", "c"), made_from("c", "a")
    message = circle(a, of(a, b, c))
    assert message.startswith(
        "spec.source.dataset.name = 'b': the Datasets go in a circle: a from b from c from a"
    )
    itself = made_from("a", "a")
    assert "a from a" in circle(itself, of(itself))
    assert circle(a, of(a, b, dataset("c"))) == ""
    assert circle(a, of(a, b)) == ""
    assert circle(made_from("d", "a"), of(a, b, c)) == "", "a circle of others is theirs"
    assert circle(dataset("x"), of()) == ""


def test_retention_keeps_what_jobs_pin_or_trained_on_what_serves_and_what_others_are_made_from() -> None:
    pinned = training_job(datasetRef={"name": "houses", "variant": "v1", "sequence": 3})
    by_digest = training_job(datasetRef={"name": "houses", "variant": "v1", "digest": "sha256:" + "a" * 64})
    version = DatasetVersion(variant="v1", sequence=2, digest="sha256:" + "b" * 64, uri="s3://m")
    trained = training_job()
    trained = trained.model_copy(
        update={"status": trained.status.model_copy(update={"dataset_version": version})}
    )
    elsewhere = training_job(datasetRef={"name": "other", "variant": "v1", "sequence": 9})
    child = Story(
        made_from("copy", "houses"),
        parent=ParentVersion(variant="v1", digest="sha256:" + "c" * 64, uri="s3://m"),
    )
    child.load()
    found = references_to("houses", [pinned, by_digest, trained, elsewhere], [promotion()], [child.dataset])
    assert found == References(tuple("sha256:" + letter * 64 for letter in "abc"), (3,))


def test_retention_is_told_the_times_that_jobs_pin() -> None:
    jobs = [
        training_job(datasetRef={"name": name, "variant": "v1", "asOf": f"2026-05-0{day}T12:00:00Z"})
        for name, day in (("houses", 2), ("houses", 1), ("houses", 2), ("other", 3))
    ]
    found = references_to("houses", jobs, [], [])
    times = (datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 2, 12, tzinfo=UTC))
    assert found == References(times=times)
