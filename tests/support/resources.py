"""Small, valid resources for tests, and the answers that their pods give."""

from typing import Any

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Failure, LoadOutcome, Outcome, TrainOutcome, VariantOutcome
from modelyard_api.v1alpha1.training_job import Compiled

API_VERSION = "modelyard.dev/v1alpha1"


def dataset(name: str, namespace: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """A Dataset with the variants v1 and v2."""
    variants = [
        {"name": "v1"},
        {"name": "v2", "from": "v1", "transforms": [{"filter": {"where": "MedHouseVal <= 5.0"}}]},
    ]
    return _resource(
        "Dataset",
        name,
        namespace,
        {"source": {"builtin": {"name": "california-housing"}}, "variants": variants, **spec},
    )


def training_job(name: str, namespace: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """A TrainingJob on v1 of the Dataset ``houses`` that registers the model ``housing``."""
    given = {
        "datasetRef": {"name": "houses", "variant": "v1"},
        "task": "Regression",
        "target": "MedHouseVal",
        "pipeline": {"estimator": {"class": "RandomForestRegressor", "params": {"n_estimators": 10}}},
        "register": {"modelName": "housing"},
        **spec,
    }
    return _resource("TrainingJob", name, namespace, given)


def replay(name: str, namespace: str, run_id: str = "0" * 32) -> dict[str, Any]:
    """A TrainingJob that makes a run again."""
    return _resource("TrainingJob", name, namespace, {"replay": {"runId": run_id}})


def promotion(name: str, namespace: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """A ModelPromotion of the newest version of ``housing``."""
    given = {"modelName": "housing", "stage": "production", "candidate": {"latest": {}}, **spec}
    return _resource("ModelPromotion", name, namespace, given)


def loaded(*variants: str, rows: int = 100, manifest: str = "ab" * 32) -> str:
    """What a loader answers."""
    published = [
        VariantOutcome(name=name, rows=rows, columns=9, digest=f"{number:064x}", manifest=manifest)
        for number, name in enumerate(variants or ("v1", "v2"), start=1)
    ]
    outcome = LoadOutcome(
        sequence=1,
        rows=rows,
        source_digest="sha256:" + "1" * 64,
        audit_head="sha256:" + "2" * 64,
        variants=published,
    )
    return Outcome(load=outcome).to_json().decode()


def trained(version: str | None = "1", **metrics: float) -> str:
    """What a trainer answers."""
    outcome = TrainOutcome(
        run_id="0" * 31 + "a",
        model_digest="sha256:" + "3" * 64,
        bundle_uri="s3://modelyard/demo/models/" + "3" * 64,
        model_version=version,
        metrics=metrics or {"rmse": 0.41634, "r2": 0.81},
        cpu_seconds=4.25,
        peak_memory_bytes=300_000_000,
        compiled=Compiled(used=True, rows=4128, max_delta="2e-15"),
        seconds=10.0,
    )
    return Outcome(train=outcome).to_json().decode()


def failed(failure_class: FailureClass, message: str, remedy: str = "") -> str:
    """What a pod answers that knows why it failed."""
    failure = Failure(failure_class=failure_class, message=message, remedy=remedy)
    return Outcome(failure=failure).to_json().decode()


def _resource(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
