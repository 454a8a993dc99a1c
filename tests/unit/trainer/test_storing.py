"""Bundles and the files of MLflow's model directory."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import skops.io

from modelyard_api.contract.bundle import TWIN_FILE
from modelyard_api.contract.manifest import Column
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.training_job import Compiled
from modelyard_runtime.twin import load
from modelyard_trainer import compiled, machine
from modelyard_trainer.bundle import Origin, PackedModel, pack
from modelyard_trainer.compiled import read_tag, tags_of, twin_of
from modelyard_trainer.fit import EstimatorError
from modelyard_trainer.safe_types import loadable
from modelyard_trainer.stable_archive import stable_archive
from modelyard_trainer.tracking.model_directory import column_schema, model_directory
from tests.support.fitting import Fitted, fit_in_memory, version_of
from tests.unit.trainer.test_fitting import CLASSES, offers, regression


def packed(fitted: Fitted, task: Task = Task.REGRESSION) -> PackedModel:
    origin = Origin(task, fitted.plan.target.name, fitted.plan.inputs, "run", "sha256:" + "0" * 64)
    return pack(fitted.model, origin, fitted.data.train, fitted.data.test)


def test_the_same_model_gives_the_same_digest() -> None:
    first, second = (
        packed(fit_in_memory(regression("RandomForestRegressor"), version_of(offers()))) for _ in range(2)
    )
    assert first.files == second.files
    assert first.digest == second.digest


def test_an_archive_made_stable_loads_to_the_same_answers() -> None:
    fitted = fit_in_memory(regression("RandomForestRegressor"), version_of(offers()))
    content = stable_archive(skops.io.dumps(fitted.model))
    loaded = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    assert (loaded.predict(fitted.data.test.X) == fitted.model.predict(fitted.data.test.X)).all()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert sorted(archive.namelist())[:2] == ["1.npy", "10.npy"]


def test_a_bundle_names_its_files_by_their_content() -> None:
    made = packed(fit_in_memory(CLASSES, version_of(offers())), Task.CLASSIFICATION)
    assert {own.name: own.sha256 for own in made.bundle.files} == {
        name: hashlib.sha256(content).hexdigest() for name, content in made.files.items()
    }
    assert made.bundle.classes == ["flat", "house"]
    golden = json.loads(made.files["golden.json"])
    assert [max(row) for row in golden["probabilities"]] == [1.0] * len(golden["rows"])


def test_a_bundle_holds_the_compiled_program_with_its_certificate() -> None:
    fitted = fit_in_memory(regression("RandomForestRegressor"), version_of(offers()))
    made = packed(fitted)
    certificate = made.bundle.certificate
    assert certificate is not None
    assert (certificate.used, certificate.rows, certificate.max_delta) == (True, len(fitted.data.test.y), "0")
    program = load(made.files[TWIN_FILE])
    assert np.array_equal(
        program.predict(fitted.data.test.X).values, fitted.model.predict(fitted.data.test.X)
    )
    written = json.loads(model_directory(made, datetime(2030, 1, 2, tzinfo=UTC))["certificate.json"])
    assert written == certificate.to_wire()
    said = read_tag(tags_of(certificate))
    assert said == Compiled(used=True, rows=certificate.rows, max_delta="0")


def test_a_model_without_a_compiled_form_is_stored_with_the_reason() -> None:
    made = packed(fit_in_memory(regression("KNeighborsRegressor"), version_of(offers())))
    assert TWIN_FILE not in made.files
    assert read_tag(tags_of(made.bundle.certificate)) == Compiled(
        used=False, reason="KNeighborsRegressor has no compiled form"
    )
    assert tags_of(None) == {}
    assert read_tag({}) is None


def test_very_many_held_out_rows_are_compared_in_part() -> None:
    fitted = fit_in_memory(regression(), version_of(offers()))
    test = fitted.data.test
    many = replace(test, X=np.resize(test.X, (30_000, test.X.shape[1])))
    assert twin_of(fitted.model, many).certificate.rows == 20_000


def test_a_program_that_is_too_large_for_servers_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fit_in_memory(regression("RandomForestRegressor"), version_of(offers()))
    monkeypatch.setattr(compiled, "_MOST_BYTES", 1000)
    twin = twin_of(fitted.model, fitted.data.test)
    assert (twin.files, twin.certificate.used) == ({}, False)
    assert twin.certificate.reason.endswith("bytes, at most 1000 are stored")


def test_a_missing_value_is_null_in_examples() -> None:
    spec = regression(
        features={"include": ["size"]},
        preprocess=[{"name": "part", "columns": {"names": ["size"]}, "steps": [{"class": "SimpleImputer"}]}],
    )
    made = packed(fit_in_memory(spec, version_of(offers(size=[None] * 30 + [1.0] * 30))))
    assert {"size": None} in made.bundle.input_example


def test_a_model_that_cannot_answer_alike_again_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fit_in_memory(regression(), version_of(offers()))
    other = fit_in_memory(regression("DecisionTreeRegressor"), version_of(offers()))
    content = skops.io.dumps(other.model)
    monkeypatch.setattr(skops.io, "dumps", lambda _: content)
    with pytest.raises(EstimatorError, match="answers differently"):
        packed(fitted)


@pytest.mark.parametrize(
    ("name", "trusted"),
    [
        ("sklearn.tree._tree.Tree", True),
        ("numpy.random._mt19937.MT19937", True),
        ("os.system", False),
        ("sklearnevil.Tree", False),
        ("builtins.eval", False),
        ("sklearn.datasets.load_files", False),
    ],
)
def test_only_types_of_the_libraries_are_loaded_again(name: str, trusted: bool) -> None:  # noqa: FBT001
    assert loadable(name) is trusted


def test_mlflows_directory_says_what_goes_in_and_out() -> None:
    fitted = fit_in_memory(CLASSES, version_of(offers()))
    files = model_directory(packed(fitted, Task.CLASSIFICATION), datetime(2030, 1, 2, tzinfo=UTC))
    assert list(files)[-1] == "MLmodel"
    document = json.loads(files["MLmodel"])
    assert json.loads(document["signature"]["inputs"]) == [
        {"type": "double", "name": "size", "required": False}
    ]
    assert json.loads(document["signature"]["outputs"])[0]["type"] == "string"
    assert "python_function" not in document["flavors"]
    assert json.loads(files["input_example.json"])["columns"] == ["size"]


def test_inputs_are_spelled_as_mlflow_spells_them() -> None:
    columns = [Column(name=kind.lower(), type=kind, nullable=False) for kind in ColumnType]
    assert {own["name"]: own["type"] for own in column_schema(columns)} == {
        "integer": "long",
        "number": "double",
        "boolean": "boolean",
        "text": "string",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_threads_follow_the_limit_of_the_control_group(
    tmp_path: Path, files: dict[str, str], expected: int | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    everything = machine.threads(tmp_path / "nowhere")
    assert machine.threads(tmp_path) == (expected or everything)


def test_use_is_counted_in_seconds_and_bytes() -> None:
    used = machine.used_so_far()
    assert used.cpu_seconds > 0
    assert used.peak_memory_bytes > 10_000_000
    assert used.seconds >= used.cpu_seconds / machine.threads() / 2


MEBIBYTE = 2**20


@pytest.mark.parametrize(
    ("own", "child", "group", "peak"),
    [
        (300, 0, 900, 300),
        (300, 20, 900, 300),
        (300, 200, 900, 900),
        (300, 200, None, 500),
        (300, 200, 100, 500),
    ],
)
@pytest.mark.parametrize("name", ["memory.peak", "memory/memory.max_usage_in_bytes"])
def test_memory_of_workers_is_that_of_the_group(
    tmp_path: Path, name: str, own: int, child: int, group: int | None, peak: int
) -> None:
    if group is not None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{group * MEBIBYTE}\n")
    assert machine.peak_memory(own * MEBIBYTE, child * MEBIBYTE, tmp_path) == peak * MEBIBYTE


_ASKS = "['true']"
_WORKS = "[sys.executable, '-c', 'held = b\"1\" * (100 << 20); sum(range(20_000_000))']"


@pytest.mark.parametrize(("child", "group_counts"), [(_ASKS, False), (_WORKS, True)])
def test_a_program_that_a_library_asks_for_something_is_no_worker(
    tmp_path: Path, child: str, *, group_counts: bool
) -> None:
    # A program's peak begins with that of whoever started it, and these tests may have grown large.
    group = 900_000 * MEBIBYTE
    (tmp_path / "memory.peak").write_text(f"{group}\n")
    script = f"""
import subprocess, sys
from pathlib import Path
from modelyard_trainer import machine
held = b"1" * (100 << 20)
subprocess.run({child}, check=True)
print(machine.used_so_far(Path(sys.argv[1])).peak_memory_bytes)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert (int(ran.stdout) == group) is group_counts
