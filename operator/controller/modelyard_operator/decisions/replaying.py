"""What a run with own code needs to be made again: its container, with the Secrets that the resource names now."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_api.conditions import Observation
from modelyard_api.v1alpha1.own_container import EnvironmentVariable
from modelyard_api.v1alpha1.reasons import TrainingJobCondition, TrainingJobReason
from modelyard_api.v1alpha1.training_job import ContainerSpec, ReplaySpec
from modelyard_operator.decisions.plan import Refusal, false


def with_secrets(recorded: ContainerSpec, asked: ReplaySpec) -> ContainerSpec | Refusal:
    """The run's spec with the replay's own variables where the run had Secrets.

    A record may be written by whoever may write to MLflow, who may not read Secrets: which of them the container gets
    only the resource says.
    """
    given = {item.name: item for item in asked.environment}
    secret = {item.name for item in recorded.environment if item.secret is not None}
    if missing := sorted(secret - given.keys()):
        return _refused(
            f"lacks {', '.join(missing)}, which the run had from a Secret",
            "Name the Secret and its key in the environment of the replay",
        )
    if strange := sorted(given.keys() - secret):
        return _refused(
            f"has {', '.join(strange)}, which the run did not have from a Secret",
            "Leave it out: a replay takes every other variable from its run",
        )
    environment = [given.get(item.name, item) for item in recorded.environment]
    return recorded.model_copy(update={"environment": environment})


def without_container(environment: Sequence[EnvironmentVariable]) -> Refusal | None:
    """A replay of a pipeline, for which there are no variables."""
    if not environment:
        return None
    return _refused("is for a container, and the run trained a pipeline", "Leave it out")


def not_reproduced(spec: object, reason: str, message: str) -> list[Observation]:
    """A run whose rows are gone, or whose own code fails by now, does not come out the same."""
    is_of_run = reason in {TrainingJobReason.DATA, TrainingJobReason.CODE}
    if not isinstance(spec, ReplaySpec) or not is_of_run:
        return []
    return [false(TrainingJobCondition.REPRODUCED, reason, message)]


def _refused(message: str, remedy: str) -> Refusal:
    return Refusal(TrainingJobReason.INVALID_SPEC, f"spec.environment {message}. {remedy}", final=True)
