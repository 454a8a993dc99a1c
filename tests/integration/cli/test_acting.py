"""Commands that change something, beside a real API server; what the operator would do is written into the status."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard_cli.__main__ import run
from tests.integration.cli.conftest import NAMESPACE
from tests.support.certificates import Authority
from tests.support.http_server import FileServer, Page, serving_files
from tests.support.kubeapi import NODE, OWN_KINDS, POD, Document, KubeApi
from tests.support.resources import dataset, training_job
from tests.support.waiting import until
from tests.unit.cli.seeing import DIGEST, RUN, condition

pytestmark = pytest.mark.usefixtures("signed_in")


def begin(*words: str) -> "subprocess.Popen[str]":
    """A command in a process of its own, which waits for what this test does next."""
    return subprocess.Popen(
        [sys.executable, "-m", "modelyard_cli", *words, "-n", NAMESPACE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(kube: KubeApi, kind: str, name: str, **status: Any) -> None:  # noqa: ANN401  JSON
    """Writes a status, as the operator would."""
    done = kube.merge(OWN_KINDS[kind], NAMESPACE, f"{name}/status", {"status": status})
    assert done.is_success, done.text


def written(folder: Path, *documents: Document) -> str:
    file = folder / "file.yaml"
    for document in documents:
        document["metadata"].pop("namespace")
    file.write_text(yaml.safe_dump_all(documents))
    return str(file)


def test_train_applies_waits_and_shows_metrics(kube: KubeApi, tmp_path: Path) -> None:
    file = written(tmp_path, dataset("beside", NAMESPACE), training_job("trained", NAMESPACE))
    with begin("train", file) as process:
        until(lambda: kube.read(OWN_KINDS["TrainingJob"], NAMESPACE, "trained"), 60, "the TrainingJob")
        answer(
            kube,
            "TrainingJob",
            "trained",
            conditions=[condition("Succeeded", "True", "Completed")],
            run={"id": RUN},
            metrics=[{"name": "rmse", "value": "0.4163"}],
        )
        shown, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "rmse=0.4163" in shown
    assert kube.read(OWN_KINDS["Dataset"], NAMESPACE, "beside") is None


def test_train_with_settings_makes_a_job_whose_name_follows_from_them(
    kube: KubeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "train",
        written(tmp_path, training_job("base", NAMESPACE)),
        "--no-wait",
        "-o",
        "name",
        "-n",
        NAMESPACE,
    ]
    setting = ["--set", "pipeline.estimator.params.n_estimators=7"]
    assert [run([*words, *setting]), run([*words, *setting])] == [0, 0]
    first, again = capsys.readouterr().out.split()
    assert first == again
    made = kube.read(OWN_KINDS["TrainingJob"], NAMESPACE, first.removeprefix("trainingjob/")) or {}
    assert made["spec"]["pipeline"]["estimator"]["params"] == {"n_estimators": 7}
    assert kube.read(OWN_KINDS["TrainingJob"], NAMESPACE, "base") is None


def test_nothing_is_applied_where_one_file_has_a_fault(
    kube: KubeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = training_job("good", NAMESPACE), training_job("bad", NAMESPACE, target="my target")
    assert run(["train", written(tmp_path, good, bad), "-n", NAMESPACE]) == 1
    assert "TrainingJob bad has faults:\n  spec.target: Invalid value" in capsys.readouterr().err
    assert kube.read(OWN_KINDS["TrainingJob"], NAMESPACE, "good") is None


def test_data_load_of_a_new_file_waits_for_its_versions_and_of_the_same_file_asks_for_a_step(
    kube: KubeApi, tmp_path: Path
) -> None:
    kind = OWN_KINDS["Dataset"]
    file = written(tmp_path, dataset("stepwise", NAMESPACE))
    ready = condition("Ready", "True", "Published")
    v1 = {"name": "v1", "sequence": 1, "rows": 40, "columns": 9, "digest": DIGEST, "uri": "s3://a/b"}
    with begin("data", "load", file) as process:
        until(lambda: kube.read(kind, NAMESPACE, "stepwise"), 60, "the Dataset")
        answer(
            kube, "Dataset", "stepwise", conditions=[ready], variants=[v1], load={"sequence": 1, "rows": 40}
        )
        shown, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert DIGEST in shown
    with begin("data", "load", file) as process:
        asked = until(lambda: _annotations(kube).get("modelyard.dev/load-now"), 60, "a request")
        assert _annotations(kube)["modelyard.dev/requested-by"] == "modelyard-tests"
        stalled = condition("Stalled", "True", "Data", "no rows")
        answer(
            kube, "Dataset", "stepwise", conditions=[stalled], load={"sequence": 1, "handledRequest": asked}
        )
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.endswith("error: dataset/stepwise failed: Data: no rows\n")


def _annotations(kube: KubeApi) -> dict[str, str]:
    document = kube.read(OWN_KINDS["Dataset"], NAMESPACE, "stepwise") or {}
    found: dict[str, str] = document["metadata"].get("annotations", {})
    return found


def test_models_promote_makes_a_promotion_then_points_it_to_another_version(kube: KubeApi) -> None:
    kind, name = OWN_KINDS["ModelPromotion"], "cars-production"
    with begin("models", "promote", "cars", "1") as process:
        until(lambda: kube.read(kind, NAMESPACE, name), 60, "the ModelPromotion")
        in_charge = {
            "version": "1",
            "runId": "f" * 32,
            "modelDigest": DIGEST,
            "bundleUri": "s3://b",
            "since": "now",
        }
        ready = condition("Ready", "True", "Serving")
        answer(kube, "ModelPromotion", name, conditions=[ready], champion=in_charge)
        shown, said = process.communicate(timeout=60)
    assert (process.returncode, shown) == (0, "version 1 of cars is in charge of production\n"), said
    edited = kube.merge(kind, NAMESPACE, name, {"spec": {"candidate": {"version": None, "latest": {}}}})
    assert edited.is_success
    with begin("models", "promote", "cars", "2") as process:
        until(lambda: _candidate(kube, name) == {"version": "2"}, 60, "the candidate")
        failed = condition("GatesPassed", "False", "GateFailed", "r2 is too low", generation=3)
        answer(kube, "ModelPromotion", name, conditions=[failed], candidate={"version": "2"})
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.endswith("is not in charge of production: GateFailed: r2 is too low\n")


def _candidate(kube: KubeApi, name: str) -> Document:
    document = kube.read(OWN_KINDS["ModelPromotion"], NAMESPACE, name) or {}
    found: Document = document["spec"]["candidate"]
    return found


@pytest.mark.parametrize("there", ["", "other"], ids=["new", "there already"])
def test_cache_explain_asks_for_the_file_by_a_copy_that_is_gone_afterwards(
    kube: KubeApi, tmp_path: Path, there: str
) -> None:
    kind, name = OWN_KINDS["TrainingJob"], f"asked{there}"
    file = written(tmp_path, training_job(name, NAMESPACE))
    if there:
        # Of another spec, and with an answer of its own.
        kube.apply(kind, training_job(name, NAMESPACE, target=there))
        answer(kube, "TrainingJob", name, conditions=[condition("Cached", "True", "CacheHit", "the same")])

    def look() -> Document | None:
        asked = [item for item in kube.items(kind, NAMESPACE) if is_copy(item, name)]
        return asked[0] if asked else None

    with begin("cache", "explain", file, "-o", "json") as process:
        asked = until(look, 60, "the question")
        assert asked["metadata"]["annotations"] == {"modelyard.dev/dry-run": "true"}
        assert asked["spec"]["target"] == training_job(name, NAMESPACE)["spec"]["target"]
        answer(
            kube,
            "TrainingJob",
            asked["metadata"]["name"],
            conditions=[condition("Cached", "False", "CacheMiss", "target differs")],
            cache={"hit": False, "missBecause": ["target"], "nearestRun": RUN},
        )
        shown, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert json.loads(shown) == [
        {
            "job": name,
            "hit": False,
            "reason": "CacheMiss",
            "message": "target differs",
            "missBecause": ["target"],
            "nearestRun": RUN,
        }
    ]
    assert (f"trainingjob/{name} is there already" in said) is bool(there)
    assert look() is None
    assert (kube.read(kind, NAMESPACE, name) is not None) is bool(there)


def is_copy(job: Document, name: str) -> bool:
    return str(job["metadata"]["name"]).startswith(f"{name}-explain-")


@pytest.fixture
def kubelet(kube: KubeApi, tmp_path: Path) -> Iterator[FileServer]:
    """A node of which only the part that gives out logs is there."""
    pair = Authority(tmp_path, datetime.now(UTC)).server("kubelet", ["127.0.0.1"])
    with serving_files(pair) as server:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-of-logs"}}
        kube.apply(NODE, node)
        port = int(server.url.rpartition(":")[2])
        where = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        assert kube.merge(NODE, None, "node-of-logs/status", {"status": where}).is_success
        yield server
        kube.delete(NODE, None, "node-of-logs")


def test_logs_are_those_of_the_pods_of_the_resource(
    kube: KubeApi, kubelet: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    kube.apply(OWN_KINDS["Dataset"], dataset("written", NAMESPACE))
    assert run(["logs", "mds/written", "-n", NAMESPACE]) == 1
    assert "mds/written has no pods. Pods of ended work are removed" in capsys.readouterr().err
    for name, labels in {"written-1": {"modelyard.dev/dataset": "written"}, "other-1": {}}.items():
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
        spec = {"nodeName": "node-of-logs", "containers": [{"name": "loader", "image": "loader:1"}]}
        kube.apply(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    root = f"/containerLogs/{NAMESPACE}/written-1/loader"
    kubelet.pages |= {
        f"{root}?tailLines=2": Page(b"two\nthree\n"),
        root: Page(b"one\ntwo\nthree\n"),
        f"{root}?follow=true": Page(b"one\n"),
    }
    for words, said in {
        ("--tail", "2"): "two\nthree\n",
        ("--all",): "[written-1] one\n[written-1] two\n[written-1] three\n",
        ("-f",): "one\n",
    }.items():
        assert run(["logs", "dataset/written", "-n", NAMESPACE, *words]) == 0
        assert capsys.readouterr().out == said


def test_a_file_of_another_namespace_is_not_applied_here(
    kube: KubeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del kube
    file = tmp_path / "elsewhere.json"
    file.write_text(json.dumps(training_job("elsewhere", "demo")))
    assert run(["train", str(file), "--no-wait", "-n", NAMESPACE]) == 1
    assert "is for the namespace demo. Add --namespace demo" in capsys.readouterr().err
