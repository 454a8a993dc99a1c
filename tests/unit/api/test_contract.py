"""What operator and pods say to each other survives the way, within its limits."""

import base64
import hashlib
import math
import zlib

import pytest
from pydantic import ValidationError

from modelyard_api.contract.exit_codes import RETRYABLE, ExitCode, FailureClass, exit_code, failure_class
from modelyard_api.contract.outcome import (
    LIMIT_BYTES,
    Failure,
    LoadOutcome,
    Outcome,
    TrainOutcome,
    VariantOutcome,
    parse_outcome,
)
from modelyard_api.contract.route import Route, RoutedModel
from modelyard_api.labels import child_name
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.dataset_status import ClassCount, ColumnStatus, RuleStatus, ValidationStatus
from modelyard_api.v1alpha1.reasons import DatasetReason, TrainingJobReason
from modelyard_api.v1alpha1.sources import Source
from modelyard_api.v1alpha1.validation import Severity


def test_twenty_variants_with_the_longest_names_fit_into_a_termination_message() -> None:
    variants = [
        VariantOutcome(name=f"{number:030d}", rows=10**9, columns=1000, digest="a" * 64, manifest="b" * 64)
        for number in range(20)
    ]
    load = LoadOutcome(
        sequence=10**6, rows=10**9, source_digest="c" * 71, audit_head="d" * 71, variants=variants
    )
    assert len(Outcome(load=load).encode()) <= LIMIT_BYTES


def full_load() -> LoadOutcome:
    """The most that a loader can have to say."""
    classes = [ClassCount(name=f"class {number} of a long name", rows=10**6 - number) for number in range(12)]
    variants = [
        VariantOutcome(
            name=f"{number:030d}",
            rows=10**9,
            columns=1000,
            digest=hashlib.sha256(b"d%d" % number).hexdigest(),
            manifest=hashlib.sha256(b"m%d" % number).hexdigest(),
            classes=classes,
        )
        for number in range(20)
    ]
    columns = [
        ColumnStatus(
            name=f"{hashlib.sha256(b'%d' % number).hexdigest()[:63]}", type=ColumnType.TEXT, missing=7
        )
        for number in range(40)
    ]
    broken = [
        RuleStatus(
            rule=f"rule {number} " + "x" * 100, severity=Severity.ERROR, observed=str(number), required="0"
        )
        for number in range(10)
    ]
    return LoadOutcome(
        sequence=10**6,
        rows=10**9,
        source_digest="c" * 71,
        audit_head="d" * 71,
        variants=variants,
        columns=columns,
        validation=ValidationStatus(sequence=10**6, errors=10, broken=broken),
    )


def test_all_that_a_loader_can_say_reaches_the_operator_without_what_gives_way_and_always_the_same() -> None:
    load = full_load()
    data = Outcome(load=load).encode()
    assert len(data) <= LIMIT_BYTES
    assert data == Outcome(load=load).encode()
    told = parse_outcome(data.decode("ascii"))
    assert told is not None
    assert told.load is not None
    assert [(item.name, item.digest, item.manifest) for item in told.load.variants] == [
        (item.name, item.digest, item.manifest) for item in load.variants
    ]
    assert told.load.columns == load.columns[: len(told.load.columns)]
    assert told.load.validation is not None
    assert told.load.validation.errors == 10
    assert told.load.validation.broken, "columns give way before the broken rules"


def test_what_fits_is_told_whole_and_what_fits_as_it_is_stays_readable() -> None:
    load = full_load().model_copy(update={"columns": [], "validation": None})
    load = load.model_copy(update={"variants": load.variants[:10]})
    data = Outcome(load=load).encode()
    assert data.startswith(b"z:")
    assert parse_outcome(data.decode()) == Outcome(load=load)
    small = load.model_copy(update={"variants": load.variants[:1]})
    assert Outcome(load=small).encode() == Outcome(load=small).to_json()


def test_a_packed_message_that_is_cut_or_swells_is_none() -> None:
    data = Outcome(load=full_load()).encode().decode()
    assert parse_outcome(data[:-100]) is None
    bomb = base64.b85encode(zlib.compress(b" " * 10_000_000)).decode()
    assert parse_outcome(f"z:{bomb}") is None
    assert parse_outcome("z:nonsense!") is None


def test_a_long_failure_is_cut_at_its_log_and_keeps_the_newest_lines() -> None:
    tail = "\n".join(f"line {number}" for number in range(2000))
    data = Outcome(
        failure=Failure(failure_class=FailureClass.CODE, message="it broke", log_tail=tail)
    ).encode()
    told = parse_outcome(data.decode())
    assert len(data) <= LIMIT_BYTES
    assert told is not None
    assert told.failure is not None
    assert told.failure.message == "it broke"
    assert told.failure.log_tail.endswith("line 1999")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.1, 1e-300])
def test_any_metric_survives_the_way(value: float) -> None:
    train = TrainOutcome(
        run_id="a", model_digest="b", bundle_uri="c", metrics={"m": value}, cpu_seconds=1, peak_memory_bytes=2
    )
    told = parse_outcome(Outcome(train=train).encode().decode())
    assert told is not None
    assert told.train is not None
    assert told.train.metrics["m"] == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize("message", ["", "oops", "{}", '{"train": {}}', '{"load": null}', "[1]"])
def test_a_message_that_is_none_is_none(message: str) -> None:
    assert parse_outcome(message) is None


def test_every_class_of_a_pod_has_its_exit_code_and_an_unknown_code_is_the_programs_own() -> None:
    for code in ExitCode:
        if code is not ExitCode.OK:
            assert exit_code(failure_class(code)) is code
    assert failure_class(99) is FailureClass.CODE
    assert failure_class(0) is FailureClass.CODE


def test_every_failure_class_is_a_reason_of_both_kinds() -> None:
    for failure in FailureClass:
        assert DatasetReason(failure.value)
        assert TrainingJobReason(failure.value)
    assert FailureClass.CODE not in RETRYABLE


def test_one_of_takes_exactly_one() -> None:
    with pytest.raises(
        ValidationError, match="exactly one of builtin, s3, http, sql, upload, dataset must be set"
    ):
        Source.model_validate({})
    assert Source.model_validate({"builtin": {"name": "iris"}}).chosen == "builtin"


def test_a_route_is_the_same_route_whatever_way_it_went() -> None:
    champion = RoutedModel(version="1", run_id="r", model_digest="d", bundle_uri="u")
    route = Route(model_name="housing", champion=champion)
    again = Route.model_validate_json(route.model_dump_json(by_alias=True))
    assert again.digest() == route.digest()
    assert route.model_copy(update={"previous": champion}).digest() != route.digest()


def test_names_of_children_depend_on_all_of_their_identity() -> None:
    names = {
        child_name("a", "uid", 1),
        child_name("a", "uid", 2),
        child_name("a", "uid1"),
        child_name("b", "uid", 1),
    }
    assert len(names) == 4
    assert child_name("a", "uid", 1) == child_name("a", "uid", 1)
    assert max(len(child_name("x" * 60, number)) for number in range(3)) <= 63
