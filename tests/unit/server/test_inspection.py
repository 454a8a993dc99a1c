"""What the signature and environment gates are told of two bundles."""

from typing import Any

import pytest

from modelyard_api.contract.bundle import Bundle, Library
from modelyard_api.contract.manifest import Column
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_server.inspection import environment_clauses, installed_version, signature_clauses

A = Column(name="a", type=ColumnType.INTEGER, nullable=True)
B = Column(name="b", type=ColumnType.NUMBER, nullable=False)
C = Column(name="c", type=ColumnType.TEXT, nullable=False)


def bundle(*inputs: Column, classes: tuple[Any, ...] = (), **changed: Any) -> Bundle:  # noqa: ANN401
    given = {
        "task": Task.CLASSIFICATION if classes else Task.REGRESSION,
        "target": "price",
        "inputs": inputs,
        "classes": list(classes),
        "run_id": "r",
        "dataset_digest": "sha256:0",
        "libraries": [],
        "input_example": [],
        "files": [],
        **changed,
    }
    return Bundle.model_validate(given)


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        ((A, B), (A, B), []),
        ((B,), (A, B), ['input "a" is gone: requests with it are refused']),
        ((A, B, C), (B,), ['inputs "a", "c" are new: requests without it are refused']),
        ((B, A), (A, B), ["the inputs are in another order, by which values in lists are read"]),
        ((A.model_copy(update={"type": ColumnType.NUMBER}),), (A,), []),
        ((B.model_copy(update={"type": ColumnType.INTEGER}),), (B,), ['input "b" is Integer, was Number']),
        ((A.model_copy(update={"nullable": False}),), (A,), ['input "a" may not be missing any more']),
        ((B.model_copy(update={"nullable": True}),), (B,), []),
    ],
)
def test_a_change_of_inputs_counts_where_a_clients_request_would_be_refused(
    now: tuple[Column, ...], before: tuple[Column, ...], told: list[str]
) -> None:
    assert signature_clauses(bundle(*now), bundle(*before)) == told


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        (("no", "yes"), ("no", "yes"), []),
        (("maybe", "no", "yes"), ("no", "yes"), ["labels that clients do not know: 'maybe'"]),
        (("no", "yes"), ("maybe", "no", "yes"), ["labels that are gone: 'maybe'"]),
        (("yes", "no"), ("no", "yes"), ["the labels are in another order, which is that of probabilities"]),
        ((0, 1), ("0", "1"), ["labels that clients do not know: 0, 1", "labels that are gone: '0', '1'"]),
    ],
)
def test_labels_stay_the_same(now: tuple[Any, ...], before: tuple[Any, ...], told: list[str]) -> None:
    assert signature_clauses(bundle(A, classes=now), bundle(A, classes=before)) == told


def test_another_target_or_task_is_told() -> None:
    clauses = signature_clauses(bundle(A, target="rent"), bundle(A, classes=("no", "yes")))
    assert clauses[:2] == [
        "the task is Regression, was Classification",
        "the target is rent, was price",
    ]


def test_libraries_of_the_run_are_held_against_those_of_the_image() -> None:
    here = {"python": "3.13.9", "numpy": "2.5.5", "scikit-learn": "1.9.0"}
    run = [
        Library(name="python", version="3.13.5"),
        Library(name="numpy", version="2.5.5"),
        Library(name="scikit-learn", version="1.9.1"),
        Library(name="lightgbm", version="4.7.0"),
    ]
    assert environment_clauses(run, here.get) == [
        "scikit-learn 1.9.1, the server has 1.9.0",
        "lightgbm 4.7.0, the server has none",
    ]
    assert environment_clauses([Library(name="python", version="3.12.9")], here.get) == [
        "python 3.12.9, the server has 3.13.9"
    ]


def test_what_is_installed_is_asked_of_the_image_itself() -> None:
    assert installed_version("pydantic")
    assert installed_version("no-such-library") is None
