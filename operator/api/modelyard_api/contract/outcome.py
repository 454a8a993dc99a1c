"""The termination message: what a pod answers, within the 4096 bytes that the kubelet keeps.

Keys are short because twenty variants must fit; everything longer is in the documents on S3 that it points to.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from modelyard_api.base import OneOf, StatusModel
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.v1alpha1.dataset_status import ClassCount, ColumnStatus, ValidationStatus
from modelyard_api.v1alpha1.training_job import Compiled, DatasetVersion
from modelyard_api.v1alpha1.tuning import BestTrial, TuningProgress

TERMINATION_LOG = "/dev/termination-log"
TERMINATION_VARIABLE = "MODELYARD_TERMINATION_LOG"
"""Names another file for the outcome, for a step outside a pod."""
LIMIT_BYTES = 4096
_PACKED = "z:"
"""Marks a message that is deflated JSON in base 85."""
_UNPACKED_LIMIT = 1 << 18

_BASE64_LENGTH = 43


def _speakable(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _shortened(value: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(value)).decode().rstrip("=")


def _as_hex(value: str) -> str:
    return base64.urlsafe_b64decode(value + "=").hex() if len(value) == _BASE64_LENGTH else value


HexDigest = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$"), BeforeValidator(_as_hex), PlainSerializer(_shortened)
]
"""A SHA-256 as bare hex, in a third less characters on the way."""


class VariantOutcome(StatusModel):
    """A variant that is published. The manifest's address follows from name, dataset and ``manifest``."""

    name: Annotated[str, Field(alias="n")]
    rows: Annotated[int, Field(alias="r")]
    columns: Annotated[int, Field(alias="c")]
    """Columns, the key not counted."""
    digest: Annotated[HexDigest, Field(alias="d")]
    """Content digest as bare hex."""
    manifest: Annotated[HexDigest, Field(alias="m")]
    """SHA-256 of the manifest as bare hex."""
    sequence: Annotated[int | None, Field(alias="s")] = None
    """Load that the version holds, where it is not that of the outcome: validation kept the last good one."""
    classes: Annotated[list[ClassCount], Field(alias="k")] = []
    """Rows of the largest classes."""


class LoadOutcome(StatusModel):
    """A load is committed and every variant that validation let pass is published."""

    sequence: int
    rows: int
    rejected: int = 0
    """Rows set aside so far, in all loads."""
    source_rows: int | None = None
    percent: str = "100"
    batch_name: str | None = None
    seconds: float | None = None
    source_digest: str
    audit_head: str
    variants: list[VariantOutcome]
    columns: list[ColumnStatus] = []
    validation: ValidationStatus | None = None
    changed: bool = True
    """False: the source was looked at and had nothing new, so that there is no new load."""


class VerifyOutcome(StatusModel):
    """Versions were built again."""

    sequence: int
    settings: str
    """How the second build differed, for example ``4 threads, rows reversed``."""
    differing: list[str] = []
    """Variants whose values were others, and in which columns."""
    skipped: list[str] = []
    """Variants whose version was made by an earlier spec, so that it could not be built again."""


class SweepOutcome(StatusModel):
    """What retention removed, or would remove."""

    dry_run: bool = False
    versions_kept: int
    versions_removed: int
    objects_removed: int
    bytes_removed: int


class RebuildOutcome(StatusModel):
    """The working copy is that of the record again."""

    sequence: int
    rows: int
    audit_head: str
    repaired: list[str] = []
    """What was missing or other before, one clause each; empty where everything agreed."""


class TrainOutcome(StatusModel):
    """A run is finished and, where asked for, a version registered."""

    run_id: str
    model_digest: str
    bundle_uri: str = ""
    """Empty where the model is not servable."""
    not_servable: str = ""
    """Why it is not, as a clause."""
    model_version: str | None = None
    """Version in the registry; absent where the job registers none."""
    data: DatasetVersion | None = None
    """Version that was trained on."""
    metrics: dict[str, Annotated[float, PlainSerializer(_speakable)]]
    """NaN and infinities go as words, for which JSON has no numbers."""
    cpu_seconds: float | None = None
    """Absent, like what is said of memory, where a container with own code was not measured."""
    peak_memory_bytes: int | None = None
    compiled: Compiled | None = None
    """The model's compiled program; absent where an earlier trainer finished the run."""
    seconds: float | None = None
    """From the start of the pod's process to the end of the work that was measured; of several, of all together."""
    progress: TuningProgress | None = None
    """What became of the trials, where there were any."""
    best: BestTrial | None = None
    """The trial whose parameters were trained."""


class TrialsOutcome(StatusModel):
    """A worker found no trial left to take; the first worker trains the best and answers for all."""

    trials: int
    """Trials that this worker ended."""


class PreparedOutcome(StatusModel):
    """The rows lie where a container with own code finds them."""

    rows_train: int
    rows_test: int


class JudgedOutcome(StatusModel):
    """The model that a container made was loaded and asked, or cannot be."""

    not_servable: Annotated[str, Field(max_length=600)] = ""


class ReplayOutcome(StatusModel):
    """A run was made again and compared."""

    run_id: str
    """Run of the replay, which keeps the comparison."""
    data: DatasetVersion
    """Version that the replayed run was trained on."""
    differences: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=10)] = []
    """One clause each; empty where nothing differs."""
    compared: Annotated[str, Field(max_length=300)]
    """What was looked at, as a clause."""
    metrics: dict[str, Annotated[float, PlainSerializer(_speakable)]] = {}
    """Metrics of the test part, as they came out this time."""
    cpu_seconds: float | None = None
    """Absent, like what is said of memory, where a container with own code was not measured."""
    peak_memory_bytes: int | None = None
    seconds: float | None = None


class MetricChange(StatusModel):
    """How much better a candidate is in one metric; worse below 0."""

    metric: str
    confidence: str
    candidate: float
    """The metric on the rows that were compared."""
    champion: float
    better_by: float
    at_least: float | None = None
    """Below it lie the draws that ``confidence`` leaves out; absent where draws say nothing of the metric."""


class ImprovementOutcome(StatusModel):
    """Two runs were compared, or may not be."""

    rows: int = 0
    """Test rows that both have answered."""
    changes: list[MetricChange] = []
    refused: Annotated[str, Field(max_length=400)] = ""
    """Why these two say nothing about each other, as a clause with its remedy."""


class InspectionOutcome(StatusModel):
    """What a candidate's bundle has against it, a clause for each difference."""

    signature: list[str] = []
    inputs: int = 0
    """Inputs that were compared; 0 without a champion."""
    environment: list[str] = []
    libraries: int = 0
    """Libraries that were compared."""


class ChampionsOutcome(StatusModel):
    """The history has every champion up to this one."""

    number: int


class Failure(StatusModel):
    """Why a step ended without its result. ``message`` names field and value, ``remedy`` what to do."""

    failure_class: FailureClass
    message: str
    remedy: str = ""
    log_tail: str = ""

    def sentence(self) -> str:
        """Message and remedy as one text for a condition."""
        return f"{self.message}. {self.remedy}".strip() if self.remedy else self.message


class Outcome(OneOf):
    """What a pod answers."""

    load: LoadOutcome | None = None
    verify: VerifyOutcome | None = None
    sweep: SweepOutcome | None = None
    rebuild: RebuildOutcome | None = None
    train: TrainOutcome | None = None
    replay: ReplayOutcome | None = None
    trials: TrialsOutcome | None = None
    prepared: PreparedOutcome | None = None
    judged: JudgedOutcome | None = None
    improvement: ImprovementOutcome | None = None
    inspection: InspectionOutcome | None = None
    champions: ChampionsOutcome | None = None
    failure: Failure | None = None

    def encode(self) -> bytes:
        """At most ``LIMIT_BYTES``: as JSON where that fits, else packed; what still is too long gives way in order.

        Of a load these are the classes, the columns and the broken rules, each from its end; of a failure the head
        of the log tail, then its texts.
        """
        data = self.to_json()
        if len(data) <= LIMIT_BYTES:
            return data
        if self.failure is not None:
            return _cut(self.failure)
        for shorter in (self, *(_shorter(self.load) if self.load else ())):
            data = _packed(shorter.to_json())
            if len(data) <= LIMIT_BYTES:
                return data
        raise ValueError(f"the outcome has {len(data)} bytes, at most {LIMIT_BYTES} reach the operator")

    def to_json(self) -> bytes:
        """The JSON, however long."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


def parse_outcome(message: str) -> Outcome | None:
    """The outcome in a termination message, or None where there is none that can be read."""
    try:
        return Outcome.model_validate_json(_unpacked(message))
    except (ValueError, zlib.error):
        return None


def _packed(data: bytes) -> bytes:
    return _PACKED.encode() + base64.b85encode(zlib.compress(data, 9))


def _unpacked(message: str) -> bytes:
    if not message.startswith(_PACKED):
        return message.encode()
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b85decode(message[len(_PACKED) :]), _UNPACKED_LIMIT)
    if not unpacker.eof:
        raise ValueError(f"a termination message of more than {_UNPACKED_LIMIT} bytes, or half of one")
    return data


def _cut(failure: Failure) -> bytes:
    while True:
        data = Outcome(failure=failure).to_json()
        if len(data) <= LIMIT_BYTES:
            return data
        tail = failure.log_tail
        if tail:
            failure = failure.model_copy(update={"log_tail": tail[len(tail) // 4 + 1 :]})
        else:
            texts = {"message": failure.message[:600], "remedy": failure.remedy[:300]}
            failure = failure.model_copy(update=texts)


def _shorter(load: LoadOutcome) -> Iterator[Outcome]:
    for count in (8, 4, 2, 0):
        variants = [item.model_copy(update={"classes": item.classes[:count]}) for item in load.variants]
        load = load.model_copy(update={"variants": variants})
        yield Outcome(load=load)
    for count in (20, 10, 5, 0):
        load = load.model_copy(update={"columns": load.columns[:count]})
        yield Outcome(load=load)
    for count in (5, 2, 1, 0):
        if load.validation is not None:
            validation = load.validation.model_copy(update={"broken": load.validation.broken[:count]})
            load = load.model_copy(update={"validation": validation})
            yield Outcome(load=load)
