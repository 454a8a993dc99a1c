"""What the three dialects answer, and that all of them answer the same."""

import httpx
import pytest

from tests.support.bundles import iris, matrix_of, titles

FITTED = iris()
ROWS = FITTED.rows
EXPECTED = FITTED.model.predict(matrix_of(FITTED.inputs, ROWS)).tolist()
PROBABILITIES = FITTED.model.predict_proba(matrix_of(FITTED.inputs, ROWS))
NAMES = [column.name for column in FITTED.inputs]
MATRIX = [[row[name] for name in NAMES] for row in ROWS]


def test_predict_answers_rows_with_labels_probabilities_and_version(client: httpx.Client) -> None:
    answer = client.post("/predict", json={"rows": ROWS})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["predictions"] == EXPECTED
    assert body["labels"] == ["setosa", "versicolor", "virginica"]
    assert body["probabilities"] == [pytest.approx(row) for row in PROBABILITIES.tolist()]
    assert (body["model_name"], body["model_version"]) == ("iris", "3")
    assert answer.headers["x-modelyard-model-version"] == "3"


def test_predict_answers_one_row_given_as_it_is(client: httpx.Client) -> None:
    body = client.post("/predict", json=ROWS[0]).json()
    assert body["predictions"] == EXPECTED[:1]


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": NAMES, "data": MATRIX}},
        {
            "dataframe_split": {
                "columns": NAMES[::-1],
                "data": [row[::-1] for row in MATRIX],
                "index": [0, 1, 2, 3],
            }
        },
        {"dataframe_split": {"data": MATRIX}},
        {"dataframe_records": ROWS},
        {"instances": ROWS},
        {"instances": MATRIX},
        {"inputs": {name: [row[name] for row in ROWS] for name in NAMES}},
        {"inputs": MATRIX, "params": {}},
    ],
    ids="-".join,
)
def test_invocations_answers_every_form_of_mlflow(client: httpx.Client, document: dict[str, object]) -> None:
    answer = client.post("/invocations", json=document)
    assert (answer.status_code, answer.json()) == (200, {"predictions": EXPECTED})


def test_mlflows_other_paths_answer(client: httpx.Client) -> None:
    assert client.get("/ping").status_code == client.get("/health").status_code == 200
    assert client.get("/version").text == "0.1.0"


def tensors() -> list[dict[str, object]]:
    return [
        {"name": name, "shape": [4], "datatype": "FP64", "data": [row[name] for row in ROWS]}
        for name in NAMES
    ]


def test_infer_answers_one_tensor_a_column_and_gives_the_id_back(client: httpx.Client) -> None:
    answer = client.post("/v2/models/iris/infer", json={"id": "42", "inputs": tensors()})
    body = answer.json()
    assert answer.status_code == 200, body
    assert (body["id"], body["model_name"], body["model_version"]) == ("42", "iris", "3")
    labels, likely = body["outputs"]
    assert labels == {"name": "predictions", "shape": [4], "datatype": "BYTES", "data": EXPECTED}
    assert (likely["name"], likely["shape"], likely["datatype"]) == ("probabilities", [4, 3], "FP64")
    assert likely["data"] == pytest.approx(PROBABILITIES.ravel().tolist())


@pytest.mark.parametrize("nested", [True, False])
def test_infer_answers_one_matrix_of_all_columns(client: httpx.Client, nested: bool) -> None:  # noqa: FBT001
    data = MATRIX if nested else [value for row in MATRIX for value in row]
    tensor = {"name": "rows", "shape": [4, 4], "datatype": "FP32", "data": data}
    body = client.post(
        "/v2/models/iris/infer", json={"inputs": [tensor], "outputs": [{"name": "predictions"}]}
    ).json()
    assert [output["name"] for output in body["outputs"]] == ["predictions"]
    assert body["outputs"][0]["data"] == EXPECTED


def test_infer_answers_the_version_that_is_asked_for(client: httpx.Client) -> None:
    body = client.post("/v2/models/iris/versions/2/infer", json={"inputs": tensors()}).json()
    assert body["model_version"] == "2"


def test_a_text_beside_numbers_is_answered_in_every_dialect(titles_client: httpx.Client) -> None:
    fitted = titles()
    rows = fitted.rows
    expected = fitted.model.predict(matrix_of(fitted.inputs, rows)).tolist()
    assert titles_client.post("/predict", json={"rows": rows}).json()["predictions"] == expected
    assert titles_client.post("/invocations", json={"instances": rows}).json()["predictions"] == expected
    kinds = {"title": "BYTES", "pages": "INT64", "price": "FP64", "stocked": "BOOL"}
    inputs = [
        {"name": name, "shape": [len(rows), 1], "datatype": kind, "data": [row[name] for row in rows]}
        for name, kind in kinds.items()
    ]
    body = titles_client.post("/v2/models/titles/infer", json={"inputs": inputs}).json()
    assert body["outputs"][0]["data"] == expected


def test_metadata_follows_the_protocol(client: httpx.Client) -> None:
    assert client.get("/v2").json() == {"name": "modelyard", "version": "0.1.0", "extensions": []}
    body = client.get("/v2/models/iris").json()
    assert (body["name"], body["versions"], body["platform"]) == ("iris", ["3", "2"], "modelyard_compiled")
    before = client.get("/v2/models/iris/versions/2").json()
    assert before["platform"] == "scikit-learn_skops"
    assert before["parameters"] == {
        "not_compiled_because": "the bundle has no certificate of a compiled program"
    }
    assert body["inputs"][0] == {"name": "sepal_length", "datatype": "FP64", "shape": [-1]}
    assert [output["name"] for output in body["outputs"]] == ["predictions", "probabilities"]
    assert client.get("/v2/models/iris/versions/2/ready").json() == {"name": "iris", "ready": True}
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}


def test_openapi_describes_the_columns_of_the_model(titles_client: httpx.Client) -> None:
    document = titles_client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == ["title", "pages", "price", "stocked"]
    assert row["properties"]["price"] == {"type": ["number", "null"]}
    assert row["properties"]["pages"] == {"type": "integer"}
    examples = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    answer = titles_client.post("/predict", json=examples["rows"]["value"])
    assert answer.status_code == 200
    assert titles_client.get("/docs").status_code == 200


def test_metrics_carry_the_promised_names_and_the_resolved_version(titles_client: httpx.Client) -> None:
    before = _value(titles_client, 'modelyard_predictions_total{model="titles",role="champion",version="1"}')
    titles_client.post("/predict", json={"rows": titles().rows[:5]})
    after = _value(titles_client, 'modelyard_predictions_total{model="titles",role="champion",version="1"}')
    assert after == before + 5
    text = titles_client.get("/metrics").text
    for name in (
        'modelyard_prediction_latency_seconds_bucket{le="0.0001",model="titles",role="champion",version="1"}',
        'modelyard_text_len_chars_count{column="title",model="titles",version="1"}',
        'modelyard_model_version{model="titles"} 1.0',
        'modelyard_server_requests_total{code="200",path="/predict"}',
        "modelyard_server_requests_in_progress",
        'modelyard_server_swaps_total{result="served"} 1.0',
    ):
        assert name in text, text


def _value(client: httpx.Client, series: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series)), 0.0)
