"""A model with a certified program is answered by it, one whose program is not right by scikit-learn, and both say so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

import modelyard_server.models.compiled
from modelyard_api.contract.bundle import (
    BUNDLE_FILE,
    GOLDEN_FILE,
    TWIN_FILE,
    Bundle,
    Certificate,
    GoldenRequest,
)
from modelyard_api.contract.route import Route
from modelyard_runtime.twin import Answer, compile_model, load
from modelyard_runtime.twin.program import Program
from modelyard_server.dataplane import answer
from modelyard_server.dialects.base import Dialect
from modelyard_server.dialects.inference import InferenceDialect, model_metadata
from modelyard_server.dialects.mlflow import MLflowDialect
from modelyard_server.dialects.typed import TypedDialect
from modelyard_server.errors import BundleError
from modelyard_server.models.fetching import FetchedBundle
from modelyard_server.models.loading import LoadedModel, load_model
from modelyard_server.serving import Serving
from tests.support.bundles import FittedModel, build_bundle, build_compiled, forest, iris, titles
from tests.support.predictors import served

MODELS: dict[str, Callable[[], FittedModel]] = {
    "flowers": iris,
    "titles": titles,
    "forest": partial(forest, trees=5),
}
_ALONE = """
import sys
from pathlib import Path
import orjson
from modelyard_api.contract.bundle import Bundle, GoldenRequest
from modelyard_server.models.fetching import FetchedBundle
from modelyard_server.models.loading import load_model
import modelyard_server.run
directory = Path(sys.argv[1])
bundle = Bundle.model_validate_json((directory / "bundle.json").read_bytes())
golden = GoldenRequest.model_validate_json((directory / "golden.json").read_bytes())
model = load_model(FetchedBundle(bundle, golden, lambda name: (directory / name).read_bytes()), "sha256:0")
matrix = model.reader.matrix(model.reader.from_records(golden.rows))
model.predictor.predict(matrix, probabilities=True)
libraries = {name.partition(".")[0] for name in sys.modules}
print(model.compiled, *sorted(libraries & {"sklearn", "scipy", "skops", "joblib", "pyarrow"}))
"""


def loaded(fitted: FittedModel, twin: bytes | None = None, **changes: Any) -> LoadedModel:  # noqa: ANN401
    """The model of a bundle with a program; ``twin`` and fields of its document replace what training wrote."""
    built = build_compiled(fitted)
    held = {**built.files, **({} if twin is None else {TWIN_FILE: twin})}
    bundle = Bundle.model_validate(built.document).model_copy(update=changes)
    golden = GoldenRequest.model_validate_json(held[GOLDEN_FILE])
    return load_model(FetchedBundle(bundle, golden, held.__getitem__), built.digest)


@pytest.mark.parametrize("name", MODELS)
def test_every_dialect_answers_the_same_with_the_program_and_without(name: str) -> None:
    fitted = MODELS[name]()
    models = [loaded(fitted), loaded(fitted, certificate=None)]
    assert [model.compiled for model in models] == [True, False]
    names = [column.name for column in fitted.inputs]
    kinds = {"Text": "BYTES", "Number": "FP64", "Integer": "INT64", "Boolean": "BOOL"}
    rows = [row for row in fitted.rows if None not in row.values()]
    tensors = [
        {
            "name": own.name,
            "shape": [len(rows)],
            "datatype": kinds[own.type],
            "data": [r[own.name] for r in rows],
        }
        for own in fitted.inputs
    ]
    asked: list[tuple[Dialect, Any]] = [
        (TypedDialect(), {"rows": fitted.rows}),
        (TypedDialect(), fitted.rows[0]),
        (MLflowDialect(), {"dataframe_split": {"columns": names, "data": [list(r.values()) for r in rows]}}),
        (InferenceDialect(), {"inputs": tensors}),
    ]
    for dialect, document in asked:
        body = orjson.dumps(document)
        ours, theirs = (orjson.loads(_asked(model, dialect, body)) for model in models)
        assert ours == _near(theirs)


def _asked(model: LoadedModel, dialect: Dialect, body: bytes) -> bytes:
    return answer(replace(served(model.predictor), model=model), dialect, body)


def _near(value: Any) -> Any:  # noqa: ANN401  JSON
    """The same JSON, numbers to the last bits but two or three."""
    if isinstance(value, dict):
        return {name: _near(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_near(held) for held in value]
    return pytest.approx(value, rel=1e-12, abs=1e-12) if isinstance(value, float) else value


@pytest.mark.parametrize("name", MODELS)
def test_a_server_of_a_program_imports_nothing_of_what_trained_it(name: str, tmp_path: Path) -> None:
    built = build_compiled(MODELS[name]())
    for file, content in {**built.files, BUNDLE_FILE: orjson.dumps(built.document)}.items():
        (tmp_path / file).write_bytes(content)
    command = [sys.executable, "-c", _ALONE, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split(), done.stderr) == (["True"], "")


def test_a_bundle_without_a_certificate_is_answered_by_scikit_learn() -> None:
    model = loaded(iris(), certificate=None)
    assert model.not_compiled_because == "the bundle has no certificate of a compiled program"


def test_the_reason_of_a_certificate_is_said_in_the_metadata() -> None:
    certificate = Certificate(
        rows=9,
        special_rows=2,
        max_delta="0.1",
        label_agreement="1",
        used=False,
        reason="2 of 9 labels differ",
    )
    model = loaded(iris(), certificate=certificate)
    assert (model.compiled, model.not_compiled_because) == (False, "2 of 9 labels differ")
    champion = replace(served(model.predictor), model=model)
    serving = Serving(Route(model_name="iris", champion=champion.routed), champion)
    said = model_metadata(serving, champion)
    assert (said["platform"], said["parameters"]) == (
        "scikit-learn_skops",
        {"not_compiled_because": "2 of 9 labels differ"},
    )


def _of_another_version(content: bytes) -> bytes:
    length = int.from_bytes(content[8:16], "little")
    header = json.loads(content[16 : 16 + length])
    header["version"] = 99
    written = json.dumps(header).encode()
    written += b" " * (-len(written) % 8)
    return content[:8] + len(written).to_bytes(8, "little") + written + content[16 + length :]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_of_another_version, "has format version 99, this program reads 1"),
        (lambda content: content[:-8], "model.twin"),
        (lambda _: compile_model(forest(trees=2).model).dump(), "takes 3 inputs, the bundle names 4"),
        (lambda _: compile_model(iris(seed=5).model).dump(), "the compiled program is not the model: "),
    ],
    ids=["of another version", "cut", "of another shape", "of another model"],
)
def test_a_program_that_is_not_right_is_left_alone_with_the_reason(
    change: Callable[[bytes], bytes], reason: str
) -> None:
    fitted = iris()
    content = build_compiled(fitted).files[TWIN_FILE]
    model = loaded(fitted, change(content))
    assert not model.compiled
    assert reason in str(model.not_compiled_because)
    matrix = model.reader.matrix(model.reader.from_records(fitted.rows))
    expected = fitted.model.predict_proba(matrix)
    found = model.predictor.predict(matrix, probabilities=True).probabilities
    assert found is not None
    assert np.array_equal(found, expected)


def test_a_program_that_is_wrong_of_a_single_row_only_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_row: np.ndarray, **_asked: bool) -> Answer:
        return Answer(np.array(["virginica"]), np.array([[0.0, 0.0, 1.0]]))

    def spoilt(content: bytes) -> Program:
        return replace(load(content), alone=wrong)

    monkeypatch.setattr(modelyard_server.models.compiled, "load", spoilt)
    model = loaded(iris())
    assert not model.compiled
    said = str(model.not_compiled_because)
    assert "by itself: golden request 0 is answered with 'virginica'" in said


def test_a_program_without_golden_requests_is_not_used() -> None:
    built = build_compiled(iris())
    fetched = FetchedBundle(Bundle.model_validate(built.document), None, built.files.__getitem__)
    reason = load_model(fetched, built.digest).not_compiled_because
    assert reason == "the bundle has no golden requests to prove it with"


def test_a_program_that_the_bundle_does_not_list_is_not_used() -> None:
    fitted = iris()
    listed = Bundle.model_validate(build_bundle(fitted).document).files
    assert loaded(fitted, files=listed).not_compiled_because == "the bundle has no model.twin"


def test_a_file_that_is_not_the_bundles_stops_the_route() -> None:
    built = build_compiled(iris())
    golden = GoldenRequest.model_validate_json(built.files[GOLDEN_FILE])

    def changed(name: str) -> bytes:
        raise BundleError(f"{name} has the SHA-256 0, the bundle says 1")

    fetched = FetchedBundle(Bundle.model_validate(built.document), golden, changed)
    with pytest.raises(BundleError, match=r"model\.twin has the SHA-256"):
        load_model(fetched, built.digest)
