"""What was last seen: hints that must never be older than what is known."""

from modelyard_operator.cluster.kinds import DATASET, JOB, TRAINING_JOB
from modelyard_operator.cluster.store import Key, Store
from modelyard_operator.objects.custom import TrainingJobObject
from modelyard_operator.objects.workloads import Job
from tests.unit.operator.making import dataset, job, training_job

PARENT = Key("TrainingJob", "demo", "forest")


def at(version: str, *, uid: str = "job-1") -> Job:
    meta = job().metadata.model_copy(
        update={"resource_version": version, "uid": uid, "labels": {"modelyard.dev/training-job": "forest"}}
    )
    return job().model_copy(update={"metadata": meta})


def seen_at(version: str) -> TrainingJobObject:
    seen = training_job()
    return seen.model_copy(
        update={"metadata": seen.metadata.model_copy(update={"resource_version": version})}
    )


def test_an_older_sight_does_not_replace_a_newer_one() -> None:
    store = Store()
    assert store.put(JOB, at("10"))
    assert not store.put(JOB, at("9"))
    assert not store.put(JOB, at("10"))
    assert store.put(JOB, at("11"))
    assert store.children(JOB, PARENT) == [at("11")]
    assert store.knows_newer(JOB, at("9"))


def test_the_end_of_an_earlier_object_does_not_remove_its_successor() -> None:
    store = Store()
    store.put(JOB, at("10", uid="new"))
    store.remove(JOB, "demo", "forest-1", "old")
    assert store.children(JOB, PARENT) == [at("10", uid="new")]
    store.remove(JOB, "demo", "forest-1", "new")
    assert store.children(JOB, PARENT) == []


def test_a_list_removes_what_is_gone_but_not_what_came_meanwhile() -> None:
    store = Store()
    store.put(JOB, at("10"))
    before = store.all(JOB, "demo")
    other = at("12", uid="other")
    other = other.model_copy(update={"metadata": other.metadata.model_copy(update={"name": "forest-2"})})
    store.put(JOB, other)
    gone = store.replace(JOB, "demo", before, [])
    assert gone == [at("10")]
    assert store.all(JOB) == [other]


def test_who_waits_for_a_dataset_is_known_until_it_is_gone() -> None:
    store = Store()
    store.put(DATASET, dataset())
    store.put(TRAINING_JOB, seen_at("3"))
    assert store.waiting_for("demo", "houses") == [PARENT]
    assert store.waiting_for("other", "houses") == []
    store.remove(TRAINING_JOB, "demo", "forest", None)
    assert store.waiting_for("demo", "houses") == []


def test_datasets_that_are_made_from_another_wait_for_it_too() -> None:
    store = Store()
    store.put(DATASET, dataset())
    store.put(DATASET, dataset("copy", source={"dataset": {"name": "houses", "variant": "v1"}}))
    assert store.waiting_for("demo", "houses") == [Key("Dataset", "demo", "copy")]
    assert store.waiting_for("demo", "copy") == []


def test_a_training_job_that_ended_waits_for_nothing() -> None:
    store = Store()
    store.put(TRAINING_JOB, seen_at("3"))
    ended = seen_at("4").status.model_copy(update={"completion_time": "2026-10-04T12:00:00Z"})
    store.put(TRAINING_JOB, seen_at("4").model_copy(update={"status": ended}))
    assert store.waiting_for("demo", "houses") == []
    store.remove(TRAINING_JOB, "demo", "forest", None)
    assert store.all(TRAINING_JOB) == []


def test_a_dataset_that_is_made_from_another_one_now_does_not_wait_for_the_first() -> None:
    store = Store()
    for version, source in (("1", "houses"), ("2", "flats")):
        seen = dataset("copy", source={"dataset": {"name": source, "variant": "v1"}})
        meta = seen.metadata.model_copy(update={"resource_version": version})
        store.put(DATASET, seen.model_copy(update={"metadata": meta}))
    assert store.waiting_for("demo", "houses") == []
    assert store.waiting_for("demo", "flats") == [Key("Dataset", "demo", "copy")]
