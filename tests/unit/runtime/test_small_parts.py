"""Secrets, patience, logs and canonical columns."""

import io
import json
import logging
import warnings
from pathlib import Path

import pyarrow as pa
import pytest

from modelyard_api.contract.steps import CREDENTIALS_VARIABLE
from modelyard_runtime.columns import to_canonical
from modelyard_runtime.credentials import Credentials, Login
from modelyard_runtime.errors import DataError, PlatformError, shown
from modelyard_runtime.logs import configure_logs
from modelyard_runtime.retry import Patience, patiently


class Clock:
    """Time that passes only when someone pauses."""

    def __init__(self) -> None:
        self.now = 0.0

    def patience(self, total: float) -> Patience:
        return Patience(total=total, clock=lambda: self.now, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self.now += seconds


def test_a_passing_error_is_waited_out() -> None:
    clock, left = Clock(), [3]

    def work() -> str:
        left[0] -= 1
        if left[0] > 0:
            raise OSError("away")
        return "here"

    assert patiently(work, lambda error: isinstance(error, OSError), clock.patience(60), "it") == "here"
    assert 0 < clock.now < 3


def test_patience_ends() -> None:
    clock = Clock()

    def work() -> str:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        patiently(work, lambda _error: True, clock.patience(60), "it")
    assert 50 < clock.now <= 60


def test_the_time_that_the_work_itself_took_is_no_patience_spent() -> None:
    clock, left = Clock(), [2]

    def work() -> str:
        clock.now += 600
        left[0] -= 1
        if left[0] > 0:
            raise OSError("away")
        return "here"

    assert patiently(work, lambda error: isinstance(error, OSError), clock.patience(60), "it") == "here"


def test_a_lasting_error_is_not_waited_for() -> None:
    clock = Clock()

    def work() -> str:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        patiently(work, lambda error: isinstance(error, OSError), clock.patience(60), "it")
    assert clock.now == 0


def test_a_secret_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "s3-access-key").write_text("key\n")
    (tmp_path / "s3-secret-key").write_text("hush\n")
    login = Credentials.mounted({CREDENTIALS_VARIABLE: str(tmp_path)}).s3()
    assert login == Login("key", "hush")
    assert "hush" not in repr(login)


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="postgres-username: the credential cannot be read"):
        Credentials(tmp_path).postgres()


@pytest.mark.usefixtures("own_logging")
def test_a_log_line_is_one_json_object() -> None:
    stream = io.StringIO()
    configure_logs(stream)
    logging.getLogger("part").info("loaded %d\nrows", 3, extra={"rows": 3})
    line = json.loads(stream.getvalue())
    assert line["message"] == "loaded 3\nrows"
    assert (line["level"], line["logger"], line["rows"]) == ("INFO", "part", 3)


@pytest.mark.usefixtures("own_logging")
def test_a_warning_goes_to_the_log() -> None:
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logs(stream)
        warnings.warn("careful", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "careful" in json.loads(stream.getvalue())["message"]


def test_a_long_value_is_cut_in_messages() -> None:
    assert shown("x" * 1000) == repr("x" * 119 + "…")


def test_values_are_brought_into_their_canonical_types() -> None:
    table = pa.table(
        {
            "i": pa.array([1], pa.int8()),
            "x": pa.array([0.5], pa.float32()),
            "d": pa.array([1], pa.uint64()),
            "t": pa.array(["a"], pa.large_string()),
        }
    )
    assert to_canonical(table).schema.types == [pa.int64(), pa.float64(), pa.float64(), pa.string()]


def test_a_value_that_does_not_fit_is_refused_with_its_column() -> None:
    table = pa.table({"big": pa.array([2**64 - 1], pa.uint64())})
    with pytest.raises(DataError, match="big"):
        to_canonical(table)
