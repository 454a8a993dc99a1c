"""What a resource says of itself decides whether the samples go on, wait or stop."""

from typing import Any

from bringup.resources import Resource


def resource(*conditions: dict[str, Any], generation: int = 2, kind: str = "TrainingJob") -> Resource:
    metadata = {"name": "a", "generation": generation}
    return Resource.parse({"kind": kind, "metadata": metadata, "status": {"conditions": list(conditions)}})


def condition(kind: str, status: str, generation: int = 2) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": "Why",
        "message": "because",
        "observedGeneration": generation,
    }


def test_a_resource_without_a_status_is_neither_done_nor_failed() -> None:
    unseen = Resource.parse({"kind": "Dataset", "metadata": {"name": "a"}})
    assert not unseen.done
    assert not unseen.failed
    assert unseen.word == "Unseen"


def test_the_summary_condition_ends_the_wait() -> None:
    assert resource(condition("Succeeded", "True")).done
    assert not resource(condition("Succeeded", "Unknown")).done
    assert resource(condition("Ready", "True"), kind="Dataset").done


def test_what_was_said_of_an_earlier_spec_does_not_count() -> None:
    assert not resource(condition("Succeeded", "True", generation=1)).done


def test_a_stalled_resource_has_failed() -> None:
    assert resource(condition("Stalled", "True")).failed
    assert not resource(condition("Stalled", "False")).failed


def test_reason_and_message_are_what_a_person_reads() -> None:
    assert resource(condition("Succeeded", "False")).word == "Why: because"
