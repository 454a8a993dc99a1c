"""TrainingJobs to Jobs, as a user of kopf would first write it: a handler a change, the sync client, default settings.

It does less than Modelyard's operator: no validation, no conditions, no Lease, no metrics, no resync. Where its
documentation shows several ways, the cheaper one is taken: Datasets come from an index, connections are kept.
"""

from typing import Any

import kopf
from kubernetes import client, config

GROUP, VERSION, PLURAL = "modelyard.dev", "v1alpha1", "trainingjobs"


@kopf.on.startup()
def connect(memo: kopf.Memo, **_: object) -> None:
    """Logs in as the kubeconfig of the environment says; one pool of connections for all handlers."""
    config.load_kube_config()
    memo.batch = client.BatchV1Api()


@kopf.index(GROUP, VERSION, "datasets")
def datasets(name: str, status: kopf.Status, **_: object) -> dict[str, dict[str, str]]:
    """Addresses of the manifests, by Dataset and variant."""
    return {name: {variant["name"]: variant["uri"] for variant in status.get("variants", [])}}


@kopf.on.create(GROUP, VERSION, PLURAL)  # type: ignore[arg-type]  # an index is passed under its name
def create_job(
    body: kopf.Body,
    memo: kopf.Memo,
    patch: kopf.Patch,
    datasets: kopf.Index[str, dict[str, str]],
    **_: object,
) -> None:
    """Makes the Job of a TrainingJob and says so in its status."""
    reference = body.spec["datasetRef"]
    versions = next(iter(datasets.get(reference["name"], [])), {})
    if reference["variant"] not in versions:
        raise kopf.TemporaryError("the dataset is not ready", delay=10)
    document = job_document(str(body.meta.name), versions[reference["variant"]])
    kopf.adopt(document)
    job = memo.batch.create_namespaced_job(body.meta.namespace, document)
    patch.status["jobName"] = job.metadata.name
    patch.status["attempt"] = 1


@kopf.on.update(GROUP, VERSION, PLURAL, field="spec.suspend")
def suspend_job(body: kopf.Body, memo: kopf.Memo, new: object, **_: object) -> None:
    """Holds the Job back, or lets it go on."""
    change = {"spec": {"suspend": bool(new)}}
    memo.batch.patch_namespaced_job(f"{body.meta.name}-train", body.meta.namespace, change)


def job_document(name: str, uri: str) -> dict[str, Any]:
    """A Job with one container that is told where its data are."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{name}-train", "labels": {"modelyard.dev/training-job": name}},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {"modelyard.dev/training-job": name}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": "trainer",
                            "image": "modelyard/trainer:0.1.0",
                            "env": [{"name": "MANIFEST", "value": uri}],
                            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
                        }
                    ],
                },
            },
        },
    }
