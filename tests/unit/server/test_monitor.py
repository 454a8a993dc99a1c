"""The monitor: what becomes of answered requests, and what it does when there are too many or the store is away."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard_api.contract.bundle import Bundle
from modelyard_api.contract.monitoring import DriftSettings, LogSettings, MonitoringSettings
from modelyard_api.contract.reference import OUTPUT, Reference
from modelyard_api.contract.route import RoutedModel
from modelyard_api.metrics import Task
from modelyard_runtime.errors import PlatformError
from modelyard_server.errors import OverloadedError
from modelyard_server.models.loading import LoadedModel
from modelyard_server.models.predictor import Answer
from modelyard_server.monitoring.logbook import Logbook, Place, sample_bound, sampled
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.monitor import Monitor
from modelyard_server.monitoring.records import Label
from modelyard_server.monitoring.tap import Answered
from modelyard_server.monitoring.uploads import File, Uploads
from modelyard_server.series import Registry
from modelyard_server.serving import Role, ServedModel, Tally
from modelyard_server.signature import Reader, Signature
from modelyard_trainer.reference import number_histogram
from tests.support.bundles import build_bundle, matrix_of, titles
from tests.support.predictors import Constant, served
from tests.support.waiting import until

NOW = datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp()
PLACE = Place("project", "shop", "shop-5f-abc")


@dataclass
class Store:
    """Objects in memory, behind a door that can be shut."""

    objects: dict[str, bytes] = field(default_factory=dict)
    away: threading.Event = field(default_factory=threading.Event)
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def create(self, key: str, content: bytes) -> bool:
        """Writes an object, unless the store is away."""
        self.asked.release()
        if self.away.is_set():
            raise PlatformError("S3 did not answer")
        self.objects[key] = content
        return True

    def tables(self, kind: str) -> list[pa.Table]:
        """Files of one kind in the order of their keys."""
        keys = sorted(key for key in self.objects if key.startswith(f"project/{kind}/shop/date="))
        return [pq.read_table(io.BytesIO(self.objects[key])) for key in keys]


@dataclass
class Monitored:
    """A monitor with its store, its metrics and a clock that stands still."""

    log: LogSettings | None = field(default_factory=LogSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    buffer_bytes: int = 1024 * 1024
    store: Store = field(default_factory=Store)
    registry: Registry = field(default_factory=Registry)
    now: float = NOW

    def __post_init__(self) -> None:
        settings = MonitoringSettings(log=self.log, drift=self.drift, buffer_bytes=self.buffer_bytes)
        metrics = MonitoringMetrics(self.registry)
        self.monitor = Monitor(settings, PLACE, self.store.create, metrics, lambda: self.now)

    def put(self, model: ServedModel, matrix: np.ndarray, answer: Answer, request_id: str = "r-1") -> None:
        """Leaves an answer as a request does."""
        self.monitor.tap.put(Answered(model, request_id, self.now, matrix, answer, 0.002), 100)

    def metric(self, name: str, **labels: str) -> float | None:
        """A sample of the registry."""
        samples = (sample for family in self.registry.metrics() for sample in family.samples)
        wanted = (f"modelyard_server_{name}", labels)
        return next((each.value for each in samples if (each.name, each.labels) == wanted), None)

    def finish(self) -> None:
        """Starts and closes the monitor, which writes all that it holds."""
        self.monitor.start()
        self.monitor.close()


def regression() -> ServedModel:
    return served(Constant(Answer(np.zeros(1))))


def classifier() -> ServedModel:
    bundle = Bundle.model_validate(build_bundle(titles()).document)
    signature = Signature(tuple(bundle.inputs))
    own = regression()
    model = LoadedModel(
        "sha256:1", bundle, signature, Reader(signature), own.model.predictor, tuple(bundle.classes), 1e-5, ""
    )
    assert bundle.task is Task.CLASSIFICATION
    return replace(own, name="titles", model=model)


def watched(rows: int = 4000) -> ServedModel:
    generator = np.random.default_rng(0)
    reference = Reference(
        features=[number_histogram(name, generator.normal(size=rows)) for name in ("a", "b", "c")],
        output=number_histogram(OUTPUT, generator.normal(size=rows)),
    )
    own = regression()
    return replace(own, model=replace(own.model, reference=reference))


def test_a_prediction_is_logged_with_all_that_it_came_from() -> None:
    watching = Monitored()
    matrix = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0]])
    watching.put(regression(), matrix, Answer(np.array([0.5, 1.5])))
    watching.finish()
    (table,) = watching.store.tables("predictions")
    assert table.to_pylist()[1] == {
        "time": datetime.fromtimestamp(NOW, UTC),
        "request_id": "r-1",
        "row": 1,
        "output": 1.5,
        "class": None,
        "confidence": None,
        "latency_seconds": 0.002,
        "model": "forest",
        "version": "7",
        "role": "champion",
        "run_id": "run",
        "model_digest": "sha256:0",
        "dataset_digest": None,
        "pod": "shop-5f-abc",
        "input_a": 4.0,
        "input_b": None,
        "input_c": 6.0,
    }
    (key,) = watching.store.objects
    assert key.startswith("project/predictions/shop/date=2030-05-06/070809-shop-5f-abc-")


def test_a_class_is_logged_with_its_confidence_and_typed_inputs() -> None:
    watching, fitted = Monitored(), titles()
    matrix = matrix_of(fitted.inputs, fitted.rows[:2])
    known = np.zeros((2, len(fitted.classes)))
    known[:, 1] = [0.75, 0.6]
    answer = Answer(np.array([fitted.classes[1]] * 2), known)
    watching.put(classifier(), matrix, answer)
    watching.put(classifier(), matrix, Answer(answer.predictions), "r-2")
    watching.finish()
    table = pa.concat_tables(watching.store.tables("predictions"))
    rows = sorted(table.to_pylist(), key=lambda row: (row["request_id"], row["row"]))
    assert [row["class"] for row in rows] == [fitted.classes[1]] * 4
    assert [row["confidence"] for row in rows] == [0.75, 0.6, None, None]
    inputs = {name.removeprefix("input_"): rows[0][name] for name in rows[0] if name.startswith("input_")}
    assert inputs == fitted.rows[0]
    assert table.schema.field("input_pages").type == pa.int64()
    assert table.schema.field("input_stocked").type == pa.bool_()


def test_what_does_not_fit_the_buffer_is_dropped_and_counted() -> None:
    watching = Monitored(buffer_bytes=2000)
    model, matrix = regression(), np.zeros((1, 3))
    for place in range(10):
        watching.put(model, matrix, Answer(np.zeros(1)), f"r-{place}")
    assert watching.monitor.tap.filling.is_set()
    watching.finish()
    (table,) = watching.store.tables("predictions")
    assert table.num_rows == 3
    assert watching.metric("prediction_log_dropped_total", reason="buffer") == 7
    assert watching.metric("prediction_log_rows_total", model="forest", version="7") == 3


def test_files_are_written_by_rows_and_by_age_and_not_before() -> None:
    offered: list[File] = []
    settings = LogSettings(file_rows=3, file_seconds=60)
    book = Logbook(settings, PLACE, MonitoringMetrics(Registry()), offered.append)
    model = regression()

    def log(rows: int, after: float) -> list[int]:
        answer = Answer(np.zeros(rows))
        book.add(model, [Answered(model, "r", NOW + after, np.zeros((rows, 3)), answer, 0.0)])
        book.flush(NOW + after)
        return [file.rows for file in offered]

    assert log(2, after=0) == []
    assert log(2, after=1) == [4]
    assert log(1, after=2) == [4]
    book.flush(NOW + 61)
    assert len(offered) == 1
    book.flush(NOW + 62)
    assert [file.rows for file in offered] == [4, 1]


def test_two_processes_of_one_pod_never_write_the_same_key() -> None:
    store = Store()
    for _ in range(2):
        watching = Monitored(store=store)
        watching.put(regression(), np.zeros((1, 3)), Answer(np.zeros(1)))
        watching.finish()
    assert len(store.tables("predictions")) == 2


def test_versions_and_roles_have_files_of_their_own() -> None:
    watching = Monitored()
    first = regression()
    other = replace(first, routed=first.routed.model_copy(update={"version": "8"}))
    for model in (first, other, first):
        watching.put(model, np.zeros((1, 3)), Answer(np.zeros(1)))
    watching.finish()
    found = {table["version"][0].as_py(): table.num_rows for table in watching.store.tables("predictions")}
    assert found == {"7": 2, "8": 1}


def test_a_sample_is_chosen_by_the_request_alone_and_is_as_large_as_asked() -> None:
    bound = sample_bound("10")
    chosen = [name for name in map(str, range(20_000)) if sampled(name, bound)]
    assert 1800 < len(chosen) < 2200
    assert all(sampled(name, sample_bound("50")) for name in chosen)
    assert sampled("any", sample_bound("100"))


def test_a_store_that_is_away_loses_what_more_files_hold_and_gets_the_others_later() -> None:
    store = Store()
    lost: list[int] = []
    uploads = Uploads(store.create, 2, lost.append)
    store.away.set()
    uploads.start()
    uploads.offer(File("a", b"1", 1))
    assert store.asked.acquire(timeout=10)
    for place, key in enumerate("bcd"):
        uploads.offer(File(key, b"1", 10 + place))
    assert lost == [12]
    store.away.clear()
    uploads.close(10)
    assert (sorted(store.objects), lost) == (["a", "b", "c"], [12])


def test_a_store_that_stays_away_does_not_hold_up_the_end() -> None:
    store = Store()
    lost: list[int] = []
    store.away.set()
    uploads = Uploads(store.create, 3, lost.append)
    uploads.start()
    for key in "abc":
        uploads.offer(File(key, b"1", 1))
    started = time.monotonic()
    uploads.close(5)
    assert time.monotonic() - started < 5
    assert (store.objects, sum(lost)) == ({}, 3)


def label(value: object, request_id: str = "r-1", row: int = 0) -> Label:
    return Label(request_id, row, value, NOW)


def feed(watching: Monitored, labels: Sequence[Label]) -> None:
    watching.monitor.label(labels)
    watching.monitor.round()


def test_labels_make_live_accuracy_of_a_classifier() -> None:
    watching, fitted = Monitored(), titles()
    matrix = matrix_of(fitted.inputs, fitted.rows[:2])
    watching.put(classifier(), matrix, Answer(np.array([fitted.classes[0]] * 2)))
    feed(watching, [label(fitted.classes[0]), label("else", row=1), label("x", row=2), label("x", "r-9")])
    of_model = {"model": "titles", "version": "7"}
    assert watching.metric("feedback_judged_total", **of_model) == 2
    assert watching.metric("feedback_correct_total", **of_model) == 1
    assert watching.metric("feedback_labels_total", result="unmatched") == 2


def test_a_label_judges_what_was_answered_and_not_what_a_shadow_thought_of_it() -> None:
    watching, fitted = Monitored(), titles()
    matrix = matrix_of(fitted.inputs, fitted.rows[:1])
    champion = classifier()
    shadow = replace(champion, role=Role.SHADOW, routed=replace_version(champion, "8"))
    watching.put(champion, matrix, Answer(np.array([fitted.classes[0]])))
    watching.put(shadow, matrix, Answer(np.array([fitted.classes[1]])))
    feed(watching, [label(fitted.classes[0])])
    assert watching.metric("feedback_correct_total", model="titles", version="7") == 1
    assert watching.metric("feedback_judged_total", model="titles", version="8") is None
    assert watching.metric("prediction_log_rows_total", model="titles", version="8") == 1


def replace_version(served: ServedModel, version: str) -> RoutedModel:
    return served.routed.model_copy(update={"version": version})


def test_labels_make_live_errors_of_a_regression() -> None:
    watching = Monitored()
    watching.put(regression(), np.zeros((2, 3)), Answer(np.array([1.0, 2.0])))
    feed(watching, [label(2), label(5.0, row=1), label("what")])
    of_model = {"model": "forest", "version": "7"}
    assert watching.metric("feedback_judged_total", **of_model) == 2
    assert watching.metric("feedback_absolute_error_total", **of_model) == 4
    assert watching.metric("feedback_squared_error_total", **of_model) == 10


def test_labels_are_stored_whether_or_not_their_answer_is_remembered() -> None:
    watching = Monitored()
    watching.monitor.label([label("kitchen"), label(2.5, "r-2", 3), label(value=True, request_id="r-3")])
    watching.finish()
    (table,) = watching.store.tables("feedback")
    found = [(row["request_id"], row["row"], row["label"], row["label_number"]) for row in table.to_pylist()]
    assert found == [("r-1", 0, "kitchen", None), ("r-2", 3, "2.5", 2.5), ("r-3", 0, "true", None)]


def test_the_oldest_answers_are_forgotten_first() -> None:
    watching = Monitored(LogSettings(remembered_rows=4))
    for name in ("r-1", "r-2", "r-3", "r-3"):
        watching.put(regression(), np.zeros((2, 3)), Answer(np.zeros(2)), name)
    feed(watching, [label(0.0, "r-1"), label(0.0, "r-2"), label(0.0, "r-3")])
    assert watching.metric("feedback_labels_total", result="matched") == 2


def test_more_labels_than_are_held_are_refused_and_none_of_them_is_taken() -> None:
    watching = Monitored()
    with pytest.raises(OverloadedError):
        watching.monitor.label([label(1)] * 100_001)
    watching.finish()
    assert watching.store.objects == {}


@pytest.mark.parametrize("gone", [False, True], ids=["kept for a way back", "not held any more"])
def test_drift_is_shown_by_feature_and_taken_back_with_its_version(gone: bool) -> None:  # noqa: FBT001
    watching = Monitored(log=None)
    model, generator = watched(), np.random.default_rng(1)
    rows = generator.normal(size=(500, 3))
    rows[:, 1] += 1.0
    for row in rows:
        watching.put(model, row[np.newaxis], Answer(generator.normal(size=1)))
    watching.monitor.keep([model])
    watching.monitor.round()
    of_model = {"model": "forest", "version": "7"}
    scores = {
        name: watching.metric("drift_score", **of_model, feature=name) for name in ("a", "b", "c", OUTPUT)
    }
    assert [name for name, score in scores.items() if score is not None and score > 1] == ["b"]
    assert watching.metric("drift_detected", **of_model) == 1
    assert watching.metric("drift_windows_total", **of_model, result="drift") == 1
    watching.monitor.keep([] if gone else [replace(model, role=Role.PREVIOUS)])
    watching.monitor.round()
    assert watching.metric("drift_score", **of_model, feature="b") is None
    assert watching.metric("drift_detected", **of_model) is None


def test_the_latest_windows_are_told_with_what_drifted_and_a_new_route_goes_on_from_them() -> None:
    watching, generator = Monitored(log=None, drift=DriftSettings(window_rows=100)), np.random.default_rng(1)
    candidate = watched()
    champion = replace(candidate, tally=Tally())
    told = []
    for model, shift, windows in ((candidate, 3.0, 4), (champion, 0.0, 6), (champion, 0.0, 30)):
        rows = generator.normal([0.0, shift, 0.0], size=(100 * windows, 3))
        watching.put(model, rows, Answer(generator.normal(size=len(rows))))
        watching.monitor.round()
        told.append(model.counts)
    assert [each.windows for each in told] == [4, 10, 20]
    assert (told[0].drifted, told[0].drifting[0]) == (4, "b")
    assert (told[1].drifted >= 4, told[2].drifted <= 2) == (True, True)


def test_nothing_is_taken_of_a_model_from_which_nothing_would_be_learnt() -> None:
    assert Monitored(log=None).monitor.tap_of(regression().model) is None
    assert Monitored(log=None).monitor.tap_of(watched().model) is not None
    assert Monitored().monitor.tap_of(regression().model) is not None


def test_answers_of_one_model_that_cannot_be_logged_do_not_end_the_log_of_others() -> None:
    watching = Monitored()
    broken, whole = classifier(), regression()
    good = Answer(np.array([broken.model.labels[0]]))
    watching.put(broken, matrix_of(broken.model.bundle.inputs, titles().rows[:1]), good)
    watching.monitor.round()
    watching.put(broken, np.zeros((1, 1)), Answer(np.array(["no such class"]), np.zeros((1, 1))))
    watching.put(whole, np.zeros((1, 3)), Answer(np.zeros(1)))
    watching.monitor.round()
    assert watching.metric("prediction_log_dropped_total", reason="fault") == 2
    assert watching.metric("prediction_log_rows_total", model="forest", version="7") == 1
    watching.finish()
    assert [table.num_rows for table in watching.store.tables("predictions")] == [1]


def test_a_running_monitor_looks_by_itself() -> None:
    watching = Monitored()
    watching.monitor.start()
    watching.put(regression(), np.zeros((1, 3)), Answer(np.zeros(1)))
    until(lambda: watching.metric("prediction_log_rows_total", model="forest", version="7"), 10, "a row")
    watching.monitor.close()
    assert len(watching.store.tables("predictions")) == 1
