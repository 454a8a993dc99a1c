"""Commands beside a real API server, reached through kubectl as a person's are."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelyard_cli.__main__ import run
from modelyard_cli.cluster.client import open_cluster
from modelyard_cli.cluster.kinds import DATASET
from modelyard_cli.kubectl_completion import answer
from modelyard_cli.options import Target
from tests.integration.cli.conftest import NAMESPACE
from tests.support.kubeapi import OWN_KINDS, Document, KubeApi
from tests.support.resources import dataset, promotion, training_job
from tests.unit.cli.seeing import DIGEST, RUN, condition, version

pytestmark = pytest.mark.usefixtures("signed_in")


def stand(kube: KubeApi, document: Document, **status: Any) -> None:  # noqa: ANN401  JSON
    """Applies a resource and gives it a status, as the operator would."""
    kind = OWN_KINDS[document["kind"]]
    kube.apply(kind, document)
    answer = kube.merge(kind, NAMESPACE, f"{document['metadata']['name']}/status", {"status": status})
    assert answer.is_success, answer.text


def follow(*words: str) -> "subprocess.Popen[str]":
    """A command in a process of its own, as its output is read while it runs."""
    return subprocess.Popen(
        [sys.executable, "-m", "modelyard_cli", *words, "-n", NAMESPACE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ("True", 0, "trainingjob/{} done 100%: Reason: words"),
        ("False", 1, "error: trainingjob/{} failed: Reason: words"),
    ],
)
def test_watch_follows_a_resource_to_its_end(kube: KubeApi, status: str, code: int, words: str) -> None:
    job = training_job(f"watched-{status.lower()}", NAMESPACE)
    name = job["metadata"]["name"]
    stand(kube, job, conditions=[condition("Succeeded", "Unknown", "Training", "attempt 1")])
    with follow("watch", f"mtj/{name}", "-o", "json") as process:
        assert first_line(process) == f"trainingjob/{name} working: Training: attempt 1\n"
        stand(kube, job, conditions=[condition("Succeeded", status, "Reason", "words")])
        shown, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert words.format(name) in said
    assert (json.loads(shown)["metadata"]["name"] == name) if code == 0 else (shown == "")


def test_watch_ends_when_the_time_is_over_or_the_resource_is_deleted(kube: KubeApi) -> None:
    name = "unready"
    stand(kube, dataset(name, NAMESPACE), conditions=[condition("Ready", "False", "Loading", "at work")])
    assert run(["watch", f"mds/{name}", "--timeout", "1s", "-n", NAMESPACE]) == 4
    with follow("watch", f"dataset/{name}") as process:
        first_line(process)
        kube.delete(OWN_KINDS["Dataset"], NAMESPACE, name)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert said.endswith("error: Dataset unready was deleted\n")


def test_tree_leads_from_rows_to_promotions(kube: KubeApi, capsys: pytest.CaptureFixture[str]) -> None:
    v1 = {"name": "v1", "sequence": 1, "rows": 20640, "columns": 9, "digest": DIGEST, "uri": "s3://a/b"}
    ready = condition("Ready", "True", "Published")
    stand(
        kube,
        dataset("rows", NAMESPACE),
        conditions=[ready],
        variants=[v1],
        load={"sequence": 1, "rows": 20640},
    )
    stand(
        kube,
        training_job("of-rows", NAMESPACE, datasetRef={"name": "rows", "variant": "v1"}),
        conditions=[condition("Succeeded", "True", "Completed")],
        datasetVersion=version(1),
        run={"id": RUN},
    )
    champion = {"version": "1", "runId": RUN, "modelDigest": DIGEST, "bundleUri": "s3://b", "since": "now"}
    stand(kube, promotion("in-charge", NAMESPACE), conditions=[ready], champion=champion)
    assert run(["tree", "rows", "-n", NAMESPACE, "-o", "json"]) == 0
    (tree,) = json.loads(capsys.readouterr().out)
    job = tree["children"][0]["children"][0]
    assert (tree["text"], job["name"]) == ("20,640 rows by load 1", "of-rows")
    assert job["children"][0]["name"] == "in-charge"
    assert run(["tree", "-n", NAMESPACE]) == 0
    assert "ModelPromotion in-charge  housing production: version 1 in charge" in capsys.readouterr().out


def test_a_long_list_is_read_to_its_end(kube: KubeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        kube.apply(OWN_KINDS["Dataset"], dataset(f"many-{number}", NAMESPACE))
    monkeypatch.setattr("modelyard_cli.cluster.client._PAGE", 1)
    with open_cluster(Target(namespace=NAMESPACE)) as cluster:
        names = {item["metadata"]["name"] for item in cluster.items(DATASET)}
    assert {f"many-{number}" for number in range(3)} <= names


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["watch", "dataset/nobody"], 1, f"the namespace {NAMESPACE} has no Dataset nobody"),
        (["tree", "nobody"], 1, f"the namespace {NAMESPACE} has no Dataset nobody"),
        (["tree", "--context", "elsewhere"], 3, "the API server cannot be reached"),
        (["tree", "--kubeconfig", "/nowhere"], 3, "the API server cannot be reached"),
    ],
)
def test_what_is_not_there_is_said_plainly(
    kube: KubeApi, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    del kube
    assert run([*words, "-n", NAMESPACE]) == code
    assert said in capsys.readouterr().err


def test_the_namespace_is_that_of_the_context(
    kube: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del kube
    overlay = tmp_path / "overlay"
    context = {
        "name": "mine",
        "context": {"cluster": "tests", "user": "modelyard-tests", "namespace": NAMESPACE},
    }
    overlay.write_text(
        json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "mine", "contexts": [context]})
    )

    monkeypatch.setenv("KUBECONFIG", f"{overlay}{os.pathsep}{os.environ['KUBECONFIG']}")
    assert run(["tree", "nobody"]) == 1
    assert f"the namespace {NAMESPACE} has no Dataset" in capsys.readouterr().err


def test_names_complete_as_the_cluster_has_them(kube: KubeApi) -> None:
    kube.apply(OWN_KINDS["Dataset"], dataset("completed-one", NAMESPACE))
    kube.apply(OWN_KINDS["Dataset"], dataset("completed-two", NAMESPACE))
    assert answer(["watch", "-n", NAMESPACE], "mds/completed-t") == ["mds/completed-two", ":4"]
    assert answer(["tree", "-n", NAMESPACE], "completed-") == ["completed-one", "completed-two", ":4"]
