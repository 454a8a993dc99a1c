"""The containers before the step of a TrainingJob with own code: rows are handed over, the code runs, its model is asked.

Only the first and the last container have credentials, and neither runs anything that the own code made: what it writes
they read as files, and its model is loaded by a container that has none. Nothing is shared with it but the two directories
of the contract, and one with the program that starts its command and writes what that took.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api.contract.own_container import (
    CONTROL_GROUP,
    INPUT_DIRECTORY,
    INPUT_VARIABLE,
    JUDGED_DIRECTORY,
    METER_DIRECTORY,
    METER_PROGRAM,
    OUTPUT_DIRECTORY,
    OUTPUT_VARIABLE,
    OWN_USE_FILE,
)
from modelyard_api.contract.steps import STEP_VARIABLE, TMP_SIZE_VARIABLE, ContainerStep, JudgeStep, Step
from modelyard_api.v1alpha1.common import ResourceRequirements
from modelyard_api.v1alpha1.own_container import EnvironmentVariable
from modelyard_api.v1alpha1.training_job import ContainerSpec
from modelyard_operator.objects.pods import (
    JUDGE_CONTAINER,
    OWN_CONTAINER,
    PREPARE_CONTAINER,
    Container,
    EmptyDir,
    EnvVar,
    EnvVarSource,
    SecretKeySelector,
    Volume,
    VolumeMount,
)
from modelyard_operator.resources.pods import RESTRICTED, mounts
from modelyard_operator.resources.step_job import Before
from modelyard_operator.settings import PodSettings

_INPUT, _OUTPUT, _JUDGED, _METER = "input", "output", "judged", "meter"
_OWN_TMP, _JUDGE_TMP = "own-tmp", "judge-tmp"
_TMP = "/tmp"  # noqa: S108  the pod's own
_METERED = (f"{METER_DIRECTORY}/{METER_PROGRAM}", f"{METER_DIRECTORY}/{OWN_USE_FILE}", CONTROL_GROUP)


@dataclass(frozen=True)
class Room:
    """What every container of the pod gets."""

    pod: PodSettings
    resources: ResourceRequirements
    pull_policy: str


def before_step(spec: ContainerSpec, step: ContainerStep, room: Room) -> Before:
    """Everything before the step that records, or compares, what own code makes of what ``step`` prepared."""
    size = room.pod.tmp_size
    names = (_INPUT, _OUTPUT, _JUDGED, _METER, _OWN_TMP, _JUDGE_TMP)
    return Before(
        containers=(_prepare(step, room), _own(spec, room), _judge(step, room)),
        volumes=tuple(Volume(name=name, empty_dir=EmptyDir(size_limit=size)) for name in names),
        mounts=(_sees(_INPUT), _sees(_OUTPUT), _sees(_JUDGED), _sees(_METER)),
    )


def _prepare(step: ContainerStep, room: Room) -> Container:
    return _of_trainer(
        PREPARE_CONTAINER, Step(prepare=step), [*mounts(), _writes(_INPUT), _writes(_METER)], room
    )


def _judge(step: ContainerStep, room: Room) -> Container:
    seen = [_sees(_INPUT), _sees(_OUTPUT), _writes(_JUDGED), VolumeMount(name=_JUDGE_TMP, mount_path=_TMP)]
    return _of_trainer(JUDGE_CONTAINER, Step(judge=JudgeStep(owner=step.owner)), seen, room)


def _of_trainer(name: str, step: Step, volumes: list[VolumeMount], room: Room) -> Container:
    return Container(
        name=name,
        image=room.pod.image,
        image_pull_policy=room.pull_policy,
        env=[
            EnvVar(name=STEP_VARIABLE, value=step.model_dump_json(by_alias=True, exclude_none=True)),
            EnvVar(name=TMP_SIZE_VARIABLE, value=room.pod.tmp_size),
        ],
        resources=room.resources,
        volume_mounts=volumes,
        security_context=RESTRICTED,
        termination_message_policy="File",
    )


def _own(spec: ContainerSpec, room: Room) -> Container:
    """The user's container, pulled as Kubernetes does by itself.

    Without a message of its own the end of its log is what is known of a failure. What the image's entrypoint is nobody
    knows here, so that only a command can be started by the program that measures it.
    """
    wanted = spec.container
    return Container(
        name=OWN_CONTAINER,
        image=wanted.image,
        command=[*_METERED, *wanted.command] if wanted.command else None,
        args=wanted.args or None,
        env=[
            EnvVar(name=INPUT_VARIABLE, value=INPUT_DIRECTORY),
            EnvVar(name=OUTPUT_VARIABLE, value=OUTPUT_DIRECTORY),
            EnvVar(name="HOME", value=_TMP),
            *(_variable(item) for item in spec.environment),
        ],
        resources=room.resources,
        volume_mounts=[
            _sees(_INPUT),
            _writes(_OUTPUT),
            *([_writes(_METER)] if wanted.command else ()),
            VolumeMount(name=_OWN_TMP, mount_path=_TMP),
        ],
        security_context=RESTRICTED,
        termination_message_policy="FallbackToLogsOnError",
    )


def _variable(item: EnvironmentVariable) -> EnvVar:
    if item.secret is None:
        return EnvVar(name=item.name, value=item.value)
    key = SecretKeySelector(name=item.secret.name, key=item.secret.key)
    return EnvVar(name=item.name, value_from=EnvVarSource(secret_key_ref=key))


def _sees(name: str) -> VolumeMount:
    return _writes(name).model_copy(update={"read_only": True})


def _writes(name: str) -> VolumeMount:
    paths = {
        _INPUT: INPUT_DIRECTORY,
        _OUTPUT: OUTPUT_DIRECTORY,
        _JUDGED: JUDGED_DIRECTORY,
        _METER: METER_DIRECTORY,
    }
    return VolumeMount(name=name, mount_path=paths[name])
