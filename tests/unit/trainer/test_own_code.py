"""A container with own code: what it is given, how what it makes is judged, and what is not taken from it."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import skops.io
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from modelyard_api.contract.own_container import JUDGEMENT_FILE, Judgement
from modelyard_runtime.errors import DataError, InvalidSpecError
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.answers import read_answers
from modelyard_trainer.own.judge import judge_model
from modelyard_trainer.own.places import Limits, Made, OwnCodeError, Places, read_made, read_tree
from modelyard_trainer.own.record import assessment_of, read_judgement, read_reported, unjudged_metrics
from modelyard_trainer.parameters import parameters_of
from tests.support.own_code import (
    fit_logistic,
    flowers,
    handed_over,
    leave,
    matrix,
    places_in,
    skops_model,
    source_of,
    step_of,
    told,
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return places_in(tmp_path)


def judgement(places: Places) -> Judgement:
    return Judgement.model_validate_json((places.judged / JUDGEMENT_FILE).read_bytes())


def test_the_container_gets_every_row_once_and_is_told_what_they_are(places: Places) -> None:
    table = flowers()
    handed_over(table, step_of(), places)
    document = told(places)
    train, test = (pq.read_table(places.input / name) for name in (document.train, document.test))
    assert [column.name for column in document.features] == ["width", "noise"]
    assert (document.target.name, document.key, document.classes) == ("kind", ["row"], ["rose", "tulip"])
    assert document.primary == "f1_macro"
    assert (train.num_rows, test.num_rows) == (document.rows_train, document.rows_test)
    found = sorted(train.column("row").to_pylist() + test.column("row").to_pylist())
    assert found == table.column("row").to_pylist()


def test_a_column_that_is_no_feature_stays_away(places: Places) -> None:
    handed_over(flowers(), step_of(features={"exclude": ["noise"]}), places)
    assert pq.read_schema(places.input / "train.parquet").names == ["row", "width", "kind"]


def test_a_spec_that_does_not_fit_the_rows_is_refused_before_any_own_code_runs(places: Places) -> None:
    with pytest.raises(InvalidSpecError, match=r"spec\.target.*is not a column"):
        handed_over(flowers(), step_of(target="sort"), places)


def test_a_model_in_the_form_of_skops_is_measured_here_and_can_be_served(places: Places) -> None:
    step = step_of()
    source = handed_over(flowers(), step, places)
    model = fit_logistic(places, ["noise", "width"])
    leave(places, skops_model(model, ["noise", "width"]))

    assert judge_model(places).not_servable == ""

    bundle = judgement(places).bundle
    assert bundle is not None
    assert [column.name for column in bundle.inputs] == ["noise", "width"]
    assert bundle.classes == ["rose", "tulip"]
    assert bundle.certificate is not None
    assert bundle.certificate.used
    answers = read_answers((places.judged / PREDICTIONS).read_bytes(), PREDICTIONS)
    assessment = assessment_of(step.spec, source.material, answers)
    right = model.predict(matrix(places, "test.parquet", ["noise", "width"])) == source.material.data.test.y
    assert assessment.numbers()["accuracy"] == pytest.approx(np.mean(right))
    assert "baseline_accuracy" in assessment.numbers()
    assert "accuracy_low" in assessment.numbers()


def test_answers_about_other_rows_are_not_taken(places: Places) -> None:
    step = step_of()
    source = handed_over(flowers(), step, places)
    leave(places, skops_model(fit_logistic(places, ["width"]), ["width"]))
    judge_model(places)
    answers = read_answers((places.judged / PREDICTIONS).read_bytes(), PREDICTIONS)
    other = source_of(flowers(150), step)
    assert source.material.version.manifest.rows != other.material.version.manifest.rows
    with pytest.raises(DataError, match="other rows"):
        assessment_of(step.spec, other.material, answers)


def upper(values: object) -> object:
    return values


def not_servable() -> dict[str, dict[str, bytes]]:
    width = np.array([[0.0], [1.0], [2.0]])
    plain = LogisticRegression().fit(width, np.array(["rose", "tulip", "tulip"]))
    coded = LogisticRegression().fit(width, [0, 1, 1])
    return {
        "holds no model.skops": {"model.pkl": b"whatever"},
        "holds no signature.json": {"model.skops": b""},
        "signature.json cannot be read: inputs: Field required": {
            "model.skops": b"",
            "signature.json": b"{}",
        },
        "signature.json names petals, which are no features": skops_model(plain, ["petals"]),
        "signature.json names a feature twice": skops_model(plain, ["width", "width"]),
        "model.skops cannot be loaded: BadZipFile": {
            "model.skops": b"no archive",
            "signature.json": b'{"inputs": ["width"]}',
        },
        "model.skops holds tests.unit.trainer.test_own_code.upper": skops_model(
            FunctionTransformer(upper), ["width"]
        ),
        "the model answers with 0, 1, which are no values of kind": skops_model(coded, ["width"]),
        "the model does not answer the rows of the test part: ValueError: X has 2 features": skops_model(
            plain, ["width", "noise"]
        ),
        "the model has no classes_": skops_model(LinearRegression().fit(width, [0, 1, 2]), ["width"]),
    }


@pytest.mark.parametrize("reason", list(not_servable()))
def test_a_model_that_no_server_can_answer_with_says_why(places: Places, reason: str) -> None:
    handed_over(flowers(), step_of(), places)
    leave(places, not_servable()[reason])
    assert reason in judge_model(places).not_servable
    assert reason in judgement(places).not_servable
    assert judgement(places).bundle is None


def test_a_classifier_does_not_answer_for_a_regression(places: Places) -> None:
    handed_over(
        flowers(), step_of(task="Regression", target="noise", features={"include": ["width"]}), places
    )
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    leave(places, skops_model(model, ["width"]))
    assert "the task is Regression" in judge_model(places).not_servable


def test_a_container_that_leaves_no_model_has_failed(places: Places) -> None:
    handed_over(flowers(), step_of(), places)
    with pytest.raises(OwnCodeError, match="left no model"):
        judge_model(places)


def test_a_link_is_not_followed_to_what_own_code_may_not_see(places: Places, tmp_path: Path) -> None:
    secret = tmp_path / "s3-secret-key"
    secret.write_text("hush")
    leave(places, {"model.skops": b""})
    (places.output / "model" / "weights.bin").symlink_to(secret)
    with pytest.raises(OwnCodeError, match=r"model/weights\.bin: is no plain file"):
        read_made(places.output)


def test_a_document_that_is_a_link_is_not_followed_either(places: Places, tmp_path: Path) -> None:
    secret = tmp_path / "s3-secret-key"
    secret.write_text("{}")
    leave(places, {"model.skops": b""})
    (places.output / "metrics.json").symlink_to(secret)
    with pytest.raises(OwnCodeError, match=r"metrics\.json: is no plain file"):
        read_made(places.output)


def test_a_directory_that_is_a_link_is_not_followed_either(places: Places, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (places.output / "model").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OwnCodeError, match="is no plain file"):
        read_made(places.output)


def test_more_than_the_limits_allow_is_not_stored(places: Places) -> None:
    leave(places, {"a": b"12", "b": b"34"})
    with pytest.raises(OwnCodeError, match="4 bytes, at most 3"):
        read_tree(places.output / "model", Limits(bytes=3))
    with pytest.raises(OwnCodeError, match="more than 1 entries"):
        read_tree(places.output / "model", Limits(files=1))


@pytest.mark.parametrize("name", ["a?b", "a%2eb", "a#b", "a\nb", "ä"])
def test_a_name_that_means_something_else_in_an_address_is_not_stored(places: Places, name: str) -> None:
    leave(places, {name: b""})
    with pytest.raises(OwnCodeError, match="is not a name that is stored"):
        read_made(places.output)


@pytest.mark.parametrize("left", [{}, {JUDGEMENT_FILE: b"half"}, {JUDGEMENT_FILE: b'{"notServable": 1}'}])
def test_a_model_that_ends_its_judge_is_named(left: dict[str, bytes]) -> None:
    with pytest.raises(OwnCodeError, match=r"model\.skops: ended the process that asked it"):
        read_judgement(left)


def test_a_judgement_without_its_files_is_none(places: Places) -> None:
    handed_over(flowers(), step_of(), places)
    leave(places, skops_model(fit_logistic(places, ["width"]), ["width"]))
    judge_model(places)
    complete = read_tree(places.judged)
    assert read_judgement(complete).bundle is not None
    del complete[PREDICTIONS]
    with pytest.raises(OwnCodeError, match="before it had answered"):
        read_judgement(complete)


def test_files_in_directories_of_the_model_keep_their_places(places: Places) -> None:
    leave(places, {"MLmodel": b"flavors"})
    (places.output / "model" / "data").mkdir()
    (places.output / "model" / "data" / "weights").write_bytes(b"1")
    assert read_made(places.output).model == {"MLmodel": b"flavors", "data/weights": b"1"}


def reported(metrics: object, params: object = None) -> Made:
    def text(document: object) -> bytes | None:
        return None if document is None else json.dumps(document).encode()

    return Made({"model.bin": b""}, text(metrics), text(params))


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ([1], r"metrics\.json: cannot be read"),
        ({"rmse": "good"}, r"metrics\.json: cannot be read: rmse"),
        ({"rmse": float("nan")}, r"metrics\.json\.rmse = nan: is not a finite number"),
        ({"rmse\n": 1}, "is not a name that MLflow takes"),
        ({f"m{number}": 1 for number in range(501)}, "501 entries, at most 500"),
    ],
)
def test_metrics_that_are_none_are_named(metrics: object, words: str) -> None:
    with pytest.raises(OwnCodeError, match=words):
        read_reported(reported(metrics))


def test_parameters_are_kept_as_text() -> None:
    found = read_reported(reported({}, {"depth": 3, "name": "own", "warm": True, "seed": None}))
    assert found.parameters == {"depth": "3", "name": "own", "warm": "true", "seed": "null"}


def test_image_arguments_and_plain_variables_are_parameters_of_the_run() -> None:
    container = {"image": "registry/own:1", "args": ["--fast"]}
    hub = {"name": "TOKEN", "secret": {"name": "hub", "key": "token"}}
    step = step_of(container=container, environment=[{"name": "EPOCHS", "value": "3"}, hub])
    material = source_of(flowers(), step).material
    found = parameters_of(step, material.version, material.plan)
    own = {name: value for name, value in found.items() if name.startswith(("container", "environment"))}
    assert own == {
        "container.image": "registry/own:1",
        "container.args": '["--fast"]',
        "environment.EPOCHS": "3",
    }


def test_a_model_that_is_not_measured_here_needs_the_primary_metric_of_its_container() -> None:
    spec = step_of(evaluation={"primary": "accuracy"}).spec
    with pytest.raises(OwnCodeError, match="lacks accuracy"):
        unjudged_metrics(spec, read_reported(reported({"f1_macro": 1})))
    assert unjudged_metrics(spec, read_reported(reported({"accuracy": 0.9}))) == {"accuracy": 0.9}


def test_files_of_a_model_in_the_form_of_skops_are_written_anew_by_the_trainer(places: Places) -> None:
    handed_over(flowers(), step_of(), places)
    model = fit_logistic(places, ["width"])
    leave(places, skops_model(model, ["width"]))
    judge_model(places)
    again = skops.io.loads((places.judged / "model.skops").read_bytes())
    rows = matrix(places, "test.parquet", ["width"])
    np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
