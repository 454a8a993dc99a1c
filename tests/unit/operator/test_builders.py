"""What the operator makes, word for word: the golden files are read by people who review a change of them."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from modelyard_api.contract.route import Route, RoutedModel
from modelyard_api.contract.steps import SERVER_VARIABLE, STEP_VARIABLE, ServerSettings, Step
from modelyard_api.v1alpha1.dataset import DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec, Replicas, Serving
from modelyard_api.v1alpha1.training_job import ContainerSpec, DatasetVersion, TrainingJobSpec
from modelyard_operator.objects.pods import Container
from modelyard_operator.objects.steps import Due, Pinned, References, StepKind, Trigger
from modelyard_operator.objects.workloads import Job
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.own_container import Room, before_step
from modelyard_operator.resources.pods import MLFLOW_KEYS, POSTGRES_KEYS, RESTRICTED, S3_KEYS
from modelyard_operator.resources.scaling import build_autoscaler, build_disruption_budget, replicas_of
from modelyard_operator.resources.server import ServerPods, build_deployment, build_route_map, build_service
from modelyard_operator.resources.step_job import JobDefaults, StepJob, build_step_job
from modelyard_operator.resources.steps import (
    DatasetStep,
    container_step,
    dataset_step,
    s3_endpoint,
    train_step,
)
from modelyard_operator.settings import Settings
from tests.unit.operator.making import UID, dataset, promotion, training_job

GOLDEN = Path(__file__).parent / "golden"
REWRITE = "MODELYARD_WRITE_GOLDEN"
SETTINGS = Settings(projects=["demo"])
DEFAULTS = JobDefaults(secret="modelyard-project", pull_policy="IfNotPresent", ttl_seconds=86400)
DATA = DatasetVersion(
    variant="v1", sequence=1, digest="sha256:" + "1" * 64, uri="s3://modelyard/demo/manifest.json"
)
RUN_ELSEWHERE: dict[str, Any] = {
    "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "8Gi"}},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "priorityClassName": "low",
    "queueName": "team",
    "activeDeadlineSeconds": 60,
}


def parent(kind: str, name: str) -> Parent:
    return Parent(kind, "demo", name, UID, 3)


def loader(**source: Any) -> Job:  # noqa: ANN401  JSON
    given: dict[str, Any] = {"source": source} if source else {}
    spec = dataset("houses", **given).spec
    assert isinstance(spec, DatasetSpec)
    owner = parent("Dataset", "houses")
    due = Due(StepKind.LOAD, 1, trigger=Trigger.INITIAL)
    step = dataset_step(DatasetStep(owner, spec, DatasetStatus(), due, 1, References(), "anna"), SETTINGS)
    keys = (*POSTGRES_KEYS, *S3_KEYS)
    marks = {"modelyard.dev/recipe": "recipe", "modelyard.dev/step": "1"}
    wanted = StepJob(
        owner, ("recipe",), 1, step, spec, SETTINGS.loader, keys, marks, source_secret=spec.source.secret
    )
    return build_step_job(wanted, DEFAULTS)


def trainer() -> Job:
    spec = training_job(**RUN_ELSEWHERE).spec
    assert isinstance(spec, TrainingJobSpec)
    owner = parent("TrainingJob", "forest")
    step = train_step(owner, spec, DATA, 2, SETTINGS)
    keys = (*S3_KEYS, *MLFLOW_KEYS)
    return build_step_job(
        StepJob(owner, (), 2, step, spec, SETTINGS.trainer, keys, deadline_seconds=60), DEFAULTS
    )


TUNING: dict[str, Any] = {
    "trials": 60,
    "parallelism": 2,
    "space": [{"parameter": "estimator.n_estimators", "integer": {"low": 50, "high": 400}}],
}


def tuner() -> Job:
    spec = training_job(tuning=TUNING).spec
    assert isinstance(spec, TrainingJobSpec)
    owner = parent("TrainingJob", "forest")
    keys = (*S3_KEYS, *MLFLOW_KEYS, *POSTGRES_KEYS)
    step = train_step(owner, spec, DATA, 1, SETTINGS)
    return build_step_job(StepJob(owner, (), 1, step, spec, SETTINGS.trainer, keys, workers=2), DEFAULTS)


CONTAINER: dict[str, Any] = {
    "pipeline": None,
    "container": {"image": "registry/own@sha256:" + "1" * 64, "command": ["python"], "args": ["train.py"]},
    "environment": [
        {"name": "EPOCHS", "value": "3"},
        {"name": "TOKEN", "secret": {"name": "hub", "key": "token"}},
    ],
}


def own_code() -> Job:
    spec = training_job(**CONTAINER).spec
    assert isinstance(spec, ContainerSpec)
    owner = parent("TrainingJob", "forest")
    work = container_step(owner, spec, DATA, 1, SETTINGS)
    room = Room(SETTINGS.trainer, SETTINGS.trainer.resources, DEFAULTS.pull_policy)
    wanted = StepJob(
        owner,
        (),
        1,
        Step(record=work),
        spec,
        SETTINGS.trainer,
        (*S3_KEYS, *MLFLOW_KEYS),
        before=before_step(spec, work, room),
    )
    return build_step_job(wanted, DEFAULTS)


def server(**serving: Any) -> ServerPods:  # noqa: ANN401  JSON
    spec = promotion(serving={"replicas": {"min": 2}, **serving}).spec
    assert isinstance(spec, ModelPromotionSpec)
    owner = parent("ModelPromotion", "housing")
    return ServerPods(
        owner,
        spec,
        s3_endpoint("demo", SETTINGS),
        SETTINGS.server,
        "modelyard-project",
        "IfNotPresent",
        8080,
        2,
    )


def closed_server() -> ServerPods:
    limits = {"maxBodyBytes": 4096, "maxRows": 10, "requestSeconds": 5}
    return server(auth={"keysSecret": {"name": "housing-clients"}}, limits=limits)


def route() -> Route:
    champion = RoutedModel(version="2", run_id="run-2", model_digest="sha256:2", bundle_uri="s3://a/2")
    return Route(model_name="housing", champion=champion)


MADE = {
    "loader-job": loader(),
    "loader-job-with-secret": loader(sql={"credentialsSecret": {"name": "warehouse"}, "query": "SELECT 1"}),
    "trainer-job": trainer(),
    "tuner-job": tuner(),
    "own-code-job": own_code(),
    "server-deployment": build_deployment(server()),
    "server-deployment-with-keys": build_deployment(closed_server()),
    "server-autoscaler": build_autoscaler(server().parent, Replicas(min=2, max=6, target_cpu_percent=60)),
    "server-disruption-budget": build_disruption_budget(server().parent),
    "server-service": build_service(server().parent),
    "server-route": build_route_map(server().parent, route()),
}


def readable(made: BaseModel) -> dict[str, Any]:
    """The object as it goes over the wire, with the documents inside of it spread out."""
    document = json.loads(made.model_dump_json(by_alias=True, exclude_none=True))

    def spread(node: Any) -> Any:  # noqa: ANN401  JSON
        if isinstance(node, dict):
            return {key: spread(value) for key, value in node.items()}
        if isinstance(node, list):
            return [spread(value) for value in node]
        if isinstance(node, str) and node.startswith("{"):
            return {"json": json.loads(node)}
        return node

    found: dict[str, Any] = spread(document)
    return found


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_as_in_the_golden_file(name: str) -> None:
    file = GOLDEN / f"{name}.yaml"
    seen = readable(MADE[name])
    if os.environ.get(REWRITE):
        file.write_text(yaml.safe_dump(seen, sort_keys=True))
    assert seen == yaml.safe_load(file.read_text()), f"{REWRITE}=1 writes the golden files anew"


def test_the_same_input_makes_the_same_object() -> None:
    assert trainer() == trainer()
    assert trainer().metadata.name != loader().metadata.name


def test_names_of_children_fit_into_a_label() -> None:
    long = Parent("TrainingJob", "demo", "a" * 52, UID, 1)
    spec = training_job().spec
    assert isinstance(spec, TrainingJobSpec)
    job = build_step_job(
        StepJob(long, (), 10, train_step(long, spec, DATA, 10, SETTINGS), spec, SETTINGS.trainer, S3_KEYS),
        DEFAULTS,
    )
    assert len(job.metadata.name) <= 63


def test_pods_read_their_step_back_as_it_was_meant() -> None:
    step = Step.model_validate_json(trainer().variable(STEP_VARIABLE) or "")
    assert step.train is not None
    assert step.train.spec == training_job(**RUN_ELSEWHERE).spec
    assert step.train.data == DATA
    assert settings_of(server()).model_name == "housing"


def settings_of(pods: ServerPods) -> ServerSettings:
    container = build_deployment(pods).spec.template.spec.containers[0]
    settings = next(item.value for item in container.env or [] if item.name == SERVER_VARIABLE)
    return ServerSettings.model_validate_json(settings or "")


def test_a_server_logs_what_its_promotion_says_and_nothing_by_itself() -> None:
    assert settings_of(server()).monitoring.log is None
    told = settings_of(
        server(predictionLog={"samplePercent": "12.5"}, drift={"windowRows": 200, "falseAlarmPercent": "0.1"})
    ).monitoring
    assert told.log is not None
    assert told.log.sample_percent == "12.5"
    assert (told.drift.window_rows, told.drift.false_alarm_percent) == (200, "0.1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"predictionLog": {"samplePercent": "0"}},
        {"drift": {"falseAlarmPercent": "20.1"}},
        {"drift": {"windowRows": 99}},
    ],
)
def test_monitoring_that_would_tell_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Serving.model_validate(wrong)


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        ({"min": 2}, None, 2),
        ({"min": 2}, 5, 2),
        ({"min": 2, "max": 6}, None, 2),
        ({"min": 2, "max": 6}, 5, 5),
        ({"min": 2, "max": 4}, 5, 4),
        ({"min": 3, "max": 6}, 1, 3),
        ({"min": 3, "max": 3}, 5, 3),
    ],
)
def test_what_an_autoscaler_chose_stays_within_the_bounds(
    wanted: dict[str, int], live: int | None, expected: int
) -> None:
    deployment = build_deployment(replace(server(), replicas=live)) if live is not None else None
    assert replicas_of(Replicas.model_validate(wanted), deployment) == expected


def test_a_sweep_is_told_everything_that_is_referred_to() -> None:
    spec = dataset("houses").spec
    assert isinstance(spec, DatasetSpec)
    referred = References(("sha256:a",), (3,), (datetime(2026, 5, 1, 12, tzinfo=UTC),))
    wanted = DatasetStep(
        parent("Dataset", "houses"), spec, DatasetStatus(), Due(StepKind.SWEEP, 4), 1, referred
    )
    written = dataset_step(wanted, SETTINGS).model_dump_json(by_alias=True, exclude_unset=True)
    sweep = Step.model_validate_json(written).sweep
    assert sweep is not None
    assert (
        References(tuple(sweep.protected), tuple(sweep.protected_sequences), tuple(sweep.protected_times))
        == referred
    )


def test_only_a_step_with_trials_is_told_where_they_are_recorded() -> None:
    for made, schema in ((trainer(), None), (tuner(), "demo")):
        step = Step.model_validate_json(made.variable(STEP_VARIABLE) or "").train
        assert step is not None
        assert (step.postgres.schema_ if step.postgres else None) == schema


def test_a_version_that_the_operator_does_not_know_is_left_to_the_trainer() -> None:
    spec = training_job(datasetRef={"name": "houses", "variant": "v1", "sequence": 3}).spec
    assert isinstance(spec, TrainingJobSpec)
    step = train_step(parent("TrainingJob", "forest"), spec, Pinned("uid-of-houses"), 1, SETTINGS).train
    assert step is not None
    assert (step.data, step.dataset_uid) == (None, "uid-of-houses")
    assert step.spec.dataset_ref.sequence == 3


def test_no_pod_gets_a_credential_that_it_does_not_need() -> None:
    def keys(job: Job) -> set[str]:
        volumes = job.spec.template.spec.volumes or []
        return {
            item.key
            for volume in volumes
            if volume.projected
            for source in volume.projected.sources
            for item in source.secret.items
        }

    assert keys(loader()) == {*POSTGRES_KEYS, *S3_KEYS}
    assert keys(trainer()) == {*S3_KEYS, *MLFLOW_KEYS}


def test_own_code_sees_no_credentials_and_shares_nothing_but_what_it_reads_makes_and_took() -> None:
    spec = own_code().spec.template.spec
    prepare, own, judge = spec.init_containers or []
    seen = {container.name: mounted(container) for container in (prepare, own, judge, spec.containers[0])}
    assert "credentials" in seen["prepare"]
    assert "credentials" in seen["step"]
    assert seen["own"] == {"input": True, "output": False, "meter": False, "own-tmp": False}
    assert seen["judge"] == {"input": True, "output": True, "judged": False, "judge-tmp": False}
    assert not any(name.startswith("MODELYARD_STEP") for name in (item.name for item in own.env or []))


def test_own_code_is_as_restricted_as_everything_else() -> None:
    spec = own_code().spec.template.spec
    assert spec.automount_service_account_token is False
    for container in (*(spec.init_containers or ()), *spec.containers):
        assert container.security_context == RESTRICTED
        assert container.resources == SETTINGS.trainer.resources


def mounted(container: Container) -> dict[str, bool]:
    """Volumes of a container, and whether it can only read them."""
    return {mount.name: bool(mount.read_only) for mount in container.volume_mounts or []}
