"""The views over the prediction log, on files as servers write them."""

from pathlib import Path

import duckdb
import numpy as np

from modelyard_server.models.predictor import Answer
from modelyard_server.monitoring.records import Label
from tests.support.bundles import matrix_of, titles
from tests.unit.server.test_monitor import NOW, PLACE, Monitored, classifier, regression

SQL = Path(__file__).resolve().parents[3] / "manifests/samples/predictions.sql"


def views(watching: Monitored, directory: Path) -> duckdb.DuckDBPyConnection:
    """A connection that sees what the monitor has written."""
    watching.finish()
    for key, content in watching.store.objects.items():
        path = directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    connection = duckdb.connect()
    for name, value in (("project", f"{directory}/{PLACE.project_prefix}"), ("promotion", PLACE.promotion)):
        connection.execute(f"SET VARIABLE {name} = '{value}'")
    connection.execute(SQL.read_text())
    return connection


def test_accuracy_is_that_of_the_last_label_of_each_row(tmp_path: Path) -> None:
    watching, fitted = Monitored(), titles()
    answer = Answer(np.array([fitted.classes[0]] * 4))
    watching.put(classifier(), matrix_of(fitted.inputs, fitted.rows[:4]), answer)
    right, wrong = fitted.classes[:2]
    watching.monitor.label([Label("r-1", row, wrong, NOW) for row in range(3)])
    watching.monitor.label([Label("r-1", 0, right, NOW + 1), Label("nobody", 0, right, NOW)])
    with views(watching, tmp_path) as connection:
        found = connection.execute("SELECT version, rows, accuracy, mae FROM quality").fetchall()
    assert found == [("7", 3, 1 / 3, None)]


def test_errors_are_those_of_the_rows_whose_values_came(tmp_path: Path) -> None:
    watching = Monitored()
    watching.put(regression(), np.zeros((2, 3)), Answer(np.array([1.0, 2.0])))
    watching.monitor.label([Label("r-1", 0, 4.0, NOW), Label("r-1", 1, 6, NOW)])
    with views(watching, tmp_path) as connection:
        found = connection.execute("SELECT rows, accuracy, mae, round(rmse, 6) FROM quality").fetchall()
    assert found == [(2, None, 3.5, round(12.5**0.5, 6))]


def test_versions_with_other_inputs_are_in_one_view(tmp_path: Path) -> None:
    watching, fitted = Monitored(), titles()
    watching.put(regression(), np.ones((1, 3)), Answer(np.zeros(1)))
    rows = matrix_of(fitted.inputs, fitted.rows[:1])
    watching.put(classifier(), rows, Answer(np.array(fitted.classes[:1])))
    watching.monitor.label([Label("r-1", 0, 1, NOW)])
    with views(watching, tmp_path) as connection:
        found = connection.execute(
            "SELECT model, date::VARCHAR, input_a, input_title FROM predictions ORDER BY model"
        ).fetchall()
    assert found == [
        ("forest", "2030-05-06", 1.0, None),
        ("titles", "2030-05-06", None, fitted.rows[0]["title"]),
    ]
