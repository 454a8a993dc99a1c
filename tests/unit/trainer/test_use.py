"""What the containers of a pod with own code took, as far as own code can be believed."""

import json
from pathlib import Path

import pytest

from modelyard_api.contract.own_container import OWN_USE_FILE, PREPARED_USE_FILE
from modelyard_api.contract.used import Used
from modelyard_trainer.own.places import OwnCodeError
from modelyard_trainer.own.use import use_of_pod

PREPARED = {"cpuSeconds": 1.5, "peakMemoryBytes": 10, "seconds": 2}
OWN = {"cpuSeconds": 100, "peakMemoryBytes": 2**40, "seconds": 60.5}
JUDGED = Used(cpu_seconds=2, peak_memory_bytes=20, seconds=3)


def measured(directory: Path, own: object = OWN) -> Path:
    (directory / PREPARED_USE_FILE).write_text(json.dumps(PREPARED))
    (directory / OWN_USE_FILE).write_text(json.dumps(own))
    return directory


def test_times_add_up_and_of_peaks_the_highest_counts(tmp_path: Path) -> None:
    used = use_of_pod(measured(tmp_path), JUDGED)
    assert used is not None
    assert 103.5 < used.cpu_seconds < 103.5 + 3600
    assert used.seconds > 65.5
    assert used.peak_memory_bytes == 2**40


def test_without_a_measure_of_own_code_nothing_is_said(tmp_path: Path) -> None:
    (measured(tmp_path) / OWN_USE_FILE).unlink()
    assert use_of_pod(tmp_path, JUDGED) is None


@pytest.mark.parametrize(
    "own",
    [
        "a lot",
        {**OWN, "cpuSeconds": -1},
        {**OWN, "cpuSeconds": float("nan")},
        {**OWN, "cpuSeconds": 1e300},
        {**OWN, "seconds": float("inf")},
        {**OWN, "peakMemoryBytes": 10**30},
        {"cpuSeconds": 1},
    ],
)
def test_what_own_code_wrote_over_its_measure_is_not_believed(tmp_path: Path, own: object) -> None:
    assert use_of_pod(measured(tmp_path, own), JUDGED) is None


def test_a_link_or_a_flood_in_its_place_is_refused(tmp_path: Path) -> None:
    place = measured(tmp_path) / OWN_USE_FILE
    place.write_text(" " * 5000)
    with pytest.raises(OwnCodeError, match="more than 4096 bytes"):
        use_of_pod(tmp_path, JUDGED)
    place.unlink()
    place.symlink_to(tmp_path / PREPARED_USE_FILE)
    with pytest.raises(OwnCodeError, match="no plain file"):
        use_of_pod(tmp_path, JUDGED)
