"""Which attempt of a TrainingJob may write: the last one that has claimed to.

Kubernetes can lose sight of a pod that goes on all the same, on a node that is cut off from the others, while another
attempt does its work. MLflow knows no condition for a write, S3 does: claims and the end of the work are objects under
numbers without a gap, each written only if it is not there yet, so that of two who want one number exactly one gets it.
"""

from __future__ import annotations

from pydantic import ValidationError

from modelyard_api.base import StatusModel
from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.steps import Owner
from modelyard_runtime.errors import StepError
from modelyard_runtime.s3 import ObjectStore

_DIGITS = 6


class SupersededError(StepError):
    """Another pod has taken the work over; this one may not write any more."""

    failure_class = FailureClass.EVICTED


class TurnRecord(StatusModel):
    """A claim or, with a run that the earlier ones do not name, the end of the work."""

    attempt: int
    pod: str
    """A word that no other pod has."""
    run_id: str | None = None
    """The run that holds the result, once there is one."""


class Turn:
    """The right of one pod to write, until another takes it. Raises PlatformError where S3 does not answer."""

    def __init__(self, store: ObjectStore, prefix: str, place: int, record: TurnRecord) -> None:
        self._store = store
        self._prefix = prefix
        self._place = place
        self._record = record

    @classmethod
    def take(cls, store: ObjectStore, owner: Owner, pod: str) -> Turn:
        """Claims the work of a job. Raises SupersededError where a later attempt has."""
        prefix = f"{store.endpoint.prefix}/attempts/{owner.uid}"
        while True:
            place = _last_place(store, prefix)
            last = _read(store, prefix, place) if place else None
            if last is not None and last.attempt > owner.attempt:
                raise _superseded(last)
            record = TurnRecord(attempt=owner.attempt, pod=pod, run_id=last.run_id if last else None)
            turn = cls(store, prefix, place, record)
            if turn._append(record):
                return turn

    @property
    def run_id(self) -> str | None:
        """The run that holds the result: of this attempt, or of one before it that did not come to answer."""
        return self._record.run_id

    def check(self) -> None:
        """Raises SupersededError where another pod has taken over."""
        if self._store.size(_key(self._prefix, self._place + 1)) is not None:
            raise _superseded(_read(self._store, self._prefix, self._place + 1))

    def finish(self, run_id: str) -> None:
        """Says for good which run holds the result. Raises SupersededError where another pod has taken over."""
        record = self._record.model_copy(update={"run_id": run_id})
        if not self._append(record):
            raise _superseded(_read(self._store, self._prefix, self._place + 1))

    def _append(self, record: TurnRecord) -> bool:
        key = _key(self._prefix, self._place + 1)
        content = record.model_dump_json(by_alias=True, exclude_none=True).encode()
        # The answer to a first try can be lost: what is there may be one's own.
        if not self._store.create(key, content) and self._store.read(key) != content:
            return False
        self._place += 1
        self._record = record
        return True


def unwritable() -> None:
    """The check of a pod that has no turn. Raises StepError, whatever is to be written."""
    raise StepError("a pod that only takes trials writes nothing else")


def _last_place(store: ObjectStore, prefix: str) -> int:
    names = (key.rsplit("/", 1)[-1].removesuffix(".json") for key in store.keys(prefix))
    return max((int(name) for name in names if name.isdigit()), default=0)


def _read(store: ObjectStore, prefix: str, place: int) -> TurnRecord:
    key = _key(prefix, place)
    try:
        return TurnRecord.model_validate_json(store.read(key))
    except ValidationError as error:
        raise StepError("is not a record of an attempt", field=store.uri(key)) from error


def _key(prefix: str, place: int) -> str:
    return f"{prefix}/{place:0{_DIGITS}d}.json"


def _superseded(record: TurnRecord) -> SupersededError:
    return SupersededError(
        f"attempt {record.attempt}, in another pod, has taken the work over; this pod writes nothing more"
    )
