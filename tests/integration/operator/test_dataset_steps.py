"""A Dataset's steps against a real API server: plan, requests, edits, another Dataset as the source, outages."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import (
    Outcome,
    RebuildOutcome,
    SweepOutcome,
    VerifyOutcome,
    parse_outcome,
)
from modelyard_api.contract.progress import StepProgress
from modelyard_api.v1alpha1.dataset_status import ValidationStatus
from tests.integration.operator.conftest import PAGES_PORT, Project
from tests.support.kubeapi import DATASET, EVENT, Document
from tests.support.operating import condition
from tests.support.resources import dataset, failed, loaded
from tests.support.waiting import until

STEPS = {"initialPercent": "40", "incrementPercent": "15", "intervalSeconds": 1}
BY_HAND = {"initialPercent": "40", "incrementPercent": "30"}


def answer(**given: Any) -> str:  # noqa: ANN401  fields of an outcome
    """What a loader answers, otherwise."""
    outcome = parse_outcome(loaded("v1", "v2"))
    assert outcome is not None
    assert outcome.load is not None
    return Outcome(load=outcome.load.model_copy(update=given)).encode().decode()


def read(project: Project, name: str = "houses") -> Document:
    seen = project.api.read(DATASET, project.namespace, name)
    assert seen is not None
    return seen


def await_load(project: Project, sequence: int, name: str = "houses", seconds: float = 30) -> Document:
    """The Dataset's status, once this load is its last."""

    def look() -> Document | None:
        status: Document = read(project, name).get("status", {})
        return status if status.get("load", {}).get("sequence") == sequence else None

    return until(look, seconds, f"load {sequence} of {name}")


@contextmanager
def page(said: StepProgress) -> Iterator[None]:
    """What all pods of the shared operator say of themselves."""
    data = said.model_dump_json(by_alias=True).encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", PAGES_PORT), Page)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_plan_is_carried_out_step_by_step_to_its_target_and_versions_stay_ready(project: Project) -> None:
    project.apply(dataset("houses", project.namespace, load=STEPS))
    for number, percent in enumerate(("40", "55", "70", "85", "100"), start=1):
        job, step = project.step("houses", number)
        assert (step["load"]["sequence"], step["load"]["percent"]) == (number, percent)
        assert step["load"]["trigger"] == ("Initial" if number == 1 else "Interval")
        if number > 1:
            assert condition(read(project), "Ready")["status"] == "True"
        project.kubelet.succeed(job, answer(sequence=number, percent=percent, rows=10 * number))
        await_load(project, number)
    done = project.await_reason(DATASET, "houses", "Progressing", "Complete")
    assert "nextTime" not in done["status"]["load"]
    assert done["status"]["load"]["percent"] == "100"

    def kept() -> list[str]:
        jobs = project.jobs("dataset", "houses")
        steps = [job["metadata"]["annotations"]["modelyard.dev/step"] for job in jobs]
        assert steps == ["3", "4", "5"], "only the last Jobs stay, for their logs"
        return steps

    until(kept)


def test_progress_and_an_outage_are_told_while_a_pod_is_at_work(project: Project) -> None:
    project.apply(dataset("houses", project.namespace))
    job = project.job("dataset", "houses")
    since = datetime.now(UTC) - timedelta(seconds=10)
    with page(StepProgress(phase="Loading", done=5000, total=20_000, since=since)):
        project.kubelet.run(job, "127.0.0.1")

        def told() -> Document | None:
            found: Document = read(project).get("status", {}).get("load", {}).get("progress", {})
            return found if found.get("phase") == "Loading" else None

        progress = until(told, 30, "progress in the status")
    assert (progress["rows"], progress["totalRows"], progress["percent"]) == (5000, 20_000, "25")
    assert progress["rowsPerSecond"] > 0
    assert progress["estimatedSecondsRemaining"] > 0
    waiting = StepProgress(phase="Loading", since=since, waiting_for="Postgres at postgres:5432: no answer")
    with page(waiting):
        seen = project.await_reason(DATASET, "houses", "Ready", "Platform")
    assert "Postgres at postgres:5432: no answer" in condition(seen, "Ready")["message"]
    project.kubelet.succeed(job, loaded())
    done = project.await_reason(DATASET, "houses", "Ready", "Published")
    assert "progress" not in done["status"]["load"]


def test_a_request_makes_one_step_and_an_edit_publishes_the_present_load_anew(project: Project) -> None:
    project.apply(dataset("houses", project.namespace, load=BY_HAND))
    job, _ = project.step("houses", 1)
    project.kubelet.succeed(job, answer(percent="40"))
    project.await_reason(DATASET, "houses", "Progressing", "WaitingForStep")
    project.annotate(DATASET, "houses", "modelyard.dev/requested-by", "anna")
    project.annotate(DATASET, "houses", "modelyard.dev/load-now", "1")
    job, step = project.step("houses", 2)
    assert (step["load"]["trigger"], step["load"]["requestedBy"]) == ("Request", "anna")
    project.kubelet.succeed(job, answer(sequence=2, percent="70"))
    assert await_load(project, 2)["load"]["handledRequest"] == "1"
    project.apply(dataset("houses", project.namespace, load=BY_HAND, variants=[{"name": "v1"}]))
    _, step = project.step("houses", 3)
    assert (step["load"]["sequence"], step["load"]["percent"]) == (2, "70")
    assert step["load"]["trigger"] == "Edit"


def test_a_broken_rule_keeps_the_last_good_version(project: Project) -> None:
    rules = [{"rule": "rowCount", "mustBeGreaterThan": "5"}]
    project.apply(dataset("houses", project.namespace, load=BY_HAND, validation=rules))
    job, _ = project.step("houses", 1)
    project.kubelet.succeed(job, answer(percent="40", validation=ValidationStatus(sequence=1, passed=1)))
    good = project.await_reason(DATASET, "houses", "Valid", "RulesHeld")["status"]["variants"]
    project.annotate(DATASET, "houses", "modelyard.dev/load-now", "1")
    job, _ = project.step("houses", 2)
    outcome = parse_outcome(loaded("v1", "v2"))
    assert outcome is not None
    assert outcome.load is not None
    kept = [item.model_copy(update={"sequence": 1}) for item in outcome.load.variants]
    broken = ValidationStatus(sequence=2, errors=1)
    project.kubelet.succeed(job, answer(sequence=2, percent="70", variants=kept, validation=broken))
    seen = project.await_reason(DATASET, "houses", "Valid", "RulesBroken")
    assert condition(seen, "Ready")["status"] == "True"
    assert seen["status"]["variants"] == good
    assert seen["status"]["load"]["sequence"] == 2


def test_a_dataset_follows_the_versions_of_its_source(project: Project) -> None:
    made_from = {"dataset": {"name": "houses", "variant": "v2"}}
    project.apply(dataset("copy", project.namespace, source=made_from, variants=[{"name": "v1"}]))
    waiting = project.await_reason(DATASET, "copy", "Ready", "WaitingForDataset")
    assert "the Dataset houses is not there" in condition(waiting, "Ready")["message"]
    project.load_houses()
    job, step = project.step("copy", 1)
    digest = read(project)["status"]["variants"][1]["digest"]
    assert step["load"]["parent"]["digest"] == digest
    project.kubelet.succeed(job, loaded("v1"))
    project.await_reason(DATASET, "copy", "Ready", "Published")
    project.apply(dataset("houses", project.namespace, variants=[{"name": "v2"}]))
    job, _ = project.step("houses", 2)
    project.kubelet.succeed(job, loaded("v2"))
    _, step = project.step("copy", 2)
    assert step["load"]["parent"]["digest"] != digest
    assert (step["load"]["refresh"], step["load"]["trigger"]) == (True, "Source")


def test_datasets_in_a_circle_are_refused_with_both_names(project: Project) -> None:
    for name, source in (("a", "b"), ("b", "a")):
        made_from = {"dataset": {"name": source, "variant": "v1"}}
        project.apply(dataset(name, project.namespace, source=made_from, variants=[{"name": "v1"}]))
    for name, path in (("a", "a from b from a"), ("b", "b from a from b")):
        seen = project.await_reason(DATASET, name, "Ready", "InvalidSpec")
        assert path in condition(seen, "Ready")["message"]
    project.api.delete(DATASET, project.namespace, "b")
    project.await_reason(DATASET, "a", "Ready", "WaitingForDataset")


def test_an_outage_is_tried_again_beyond_the_backoff_limit(project: Project) -> None:
    project.apply(dataset("houses", project.namespace, backoffLimit=0))
    outage = failed(FailureClass.PLATFORM, "S3 at http://minio:9000 did not answer")
    for attempt in (1, 2, 3):
        job, _ = project.step("houses", 1, attempt)
        project.kubelet.fail(job, 20, outage)
    job, _ = project.step("houses", 1, 4)
    project.kubelet.succeed(job, loaded())
    project.await_reason(DATASET, "houses", "Ready", "Published")


def test_steps_beside_the_load_follow_one_another(project: Project) -> None:
    project.apply(dataset("houses", project.namespace, verify={}, retention={"keepLast": 2}))
    job, _ = project.step("houses", 1)
    project.kubelet.succeed(job, loaded())
    job, step = project.step("houses", 2)
    assert [item["variant"] for item in step["verify"]["versions"]] == ["v1", "v2"]
    verified = VerifyOutcome(sequence=1, settings="4 threads")
    project.kubelet.succeed(job, Outcome(verify=verified).encode().decode())
    project.await_reason(DATASET, "houses", "Deterministic", "SameValues")
    job, step = project.step("houses", 3)
    assert (step["sweep"]["keepLast"], step["sweep"]["dryRun"]) == (2, False)
    (made,) = [item for item in project.jobs("dataset", "houses") if item["metadata"]["name"] == job]
    assert "mlflow-password" in str(made["spec"]["template"]["spec"]["volumes"])
    swept = SweepOutcome(versions_kept=2, versions_removed=1, objects_removed=2, bytes_removed=3)
    project.kubelet.succeed(job, Outcome(sweep=swept).encode().decode())
    project.await_reason(DATASET, "houses", "Progressing", "Complete")
    project.annotate(DATASET, "houses", "modelyard.dev/rebuild", "1")
    job, step = project.step("houses", 4)
    assert "rebuild" in step
    rebuilt = RebuildOutcome(sequence=1, rows=100, audit_head="sha256:" + "4" * 64)
    project.kubelet.succeed(job, Outcome(rebuild=rebuilt).encode().decode())
    seen = project.await_reason(DATASET, "houses", "Loaded", "Rebuilt")
    uid = seen["metadata"]["uid"]

    def told() -> bool:
        events = project.api.items(EVENT, project.namespace)
        return {"Swept", "Rebuilt", "SameValues"} <= {
            event["reason"] for event in events if event["involvedObject"]["uid"] == uid
        }

    until(told, 30, "events of the steps")


@pytest.mark.parametrize(
    ("source", "secret"),
    [
        ({"sql": {"credentialsSecret": {"name": "warehouse"}, "query": "SELECT 1"}}, "warehouse"),
        ({"s3": {"uri": "s3://lake/a.csv", "credentialsSecret": {"name": "lake"}}}, "lake"),
        ({"s3": {"uri": "s3://lake/a.csv"}}, None),
    ],
)
def test_the_source_s_secret_is_mounted_and_need_not_be_there_yet(
    project: Project, source: dict[str, Any], secret: str | None
) -> None:
    project.apply(dataset("houses", project.namespace, source=source))
    project.step("houses", 1)
    (job,) = project.jobs("dataset", "houses")
    pod = job["spec"]["template"]["spec"]
    found = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert [(item["secretName"], item["optional"]) for item in found] == ([(secret, True)] if secret else [])
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert ("source" in mounts) is (secret is not None)
