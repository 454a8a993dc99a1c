"""The rollout of a candidate, step by step: a state machine whose state is in status, so that any operator goes on with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from modelyard_api.conditions import find_condition, shorten
from modelyard_api.contract.route import RoutedModel, Trial, TrialMode
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec, ModelPromotionStatus
from modelyard_api.v1alpha1.reasons import PromotionCondition, PromotionReason
from modelyard_api.v1alpha1.rollout import Rollout, RolloutCounts, RolloutStatus
from modelyard_operator.decisions.evidence import Breach, Limits, judge_counts
from modelyard_operator.decisions.fleet import Fleet
from modelyard_operator.decisions.gates.kind import bounds, within
from modelyard_operator.objects.gates import QueryAnswer

_QUERY_SHOWN = 200
_NOTE_SECONDS = 10.0
"""Pause between notes of the counts in status."""


@dataclass(frozen=True)
class Stage:
    """A step of a rollout."""

    mode: TrialMode
    percent: int
    seconds: int
    limits: Limits
    tolerance: str | None = None

    @property
    def reason(self) -> PromotionReason:
        """Reason of the condition Progressing."""
        return PromotionReason.SHADOW if self.mode is TrialMode.SHADOW else PromotionReason.CANARY

    def trial(self, model: RoutedModel) -> Trial:
        """The stage as pods are told of it."""
        return Trial(
            model=model,
            mode=self.mode,
            percent=self.percent,
            max_latency_seconds=self.limits.latency_seconds,
            tolerance=self.tolerance,
        )

    def told(self, version: str) -> str:
        """What happens to the requests, for people."""
        if self.mode is TrialMode.SHADOW:
            return f"version {version} is asked {self.percent} % of the requests as a shadow"
        return f"version {version} answers {self.percent} % of the requests"


def stages(spec: ModelPromotionSpec) -> tuple[Stage, ...]:
    """Steps before a candidate takes charge."""
    return _STAGES[spec.rollout.chosen](spec.rollout)


def _immediate(rollout: Rollout) -> tuple[Stage, ...]:
    del rollout
    return ()


def _canary(rollout: Rollout) -> tuple[Stage, ...]:
    canary = rollout.canary
    assert canary is not None  # noqa: S101  it is the chosen one
    limits = Limits(error_percent=canary.max_error_percent, latency_seconds=canary.max_latency_seconds)
    return tuple(Stage(TrialMode.CANARY, step.percent, step.seconds, limits) for step in canary.steps)


def _shadow(rollout: Rollout) -> tuple[Stage, ...]:
    shadow = rollout.shadow
    assert shadow is not None  # noqa: S101  it is the chosen one
    limits = Limits(disagreement_percent=shadow.max_disagreement_percent)
    return (Stage(TrialMode.SHADOW, shadow.percent, shadow.seconds, limits, shadow.tolerance),)


_STAGES: Mapping[str, Callable[[Rollout], tuple[Stage, ...]]] = {
    "immediate": _immediate,
    "canary": _canary,
    "shadow": _shadow,
}
"""By key of ``spec.rollout``; a new way to roll out is one function and one line here."""


def stage_of(all_stages: tuple[Stage, ...], state: RolloutStatus) -> Stage | None:
    """The stage under way; None when the candidate is to take charge."""
    return all_stages[state.step - 1] if state.step <= len(all_stages) else None


def begin(all_stages: tuple[Stage, ...], restarts: int, now: datetime) -> RolloutStatus:
    """State before the first step."""
    first = all_stages[0].percent if all_stages else 100
    return RolloutStatus(step=1, steps=len(all_stages), percent=first, began=text(now), restarts=restarts)


def pause(state: RolloutStatus) -> RolloutStatus:
    """The state of a rollout whose route is not served for now: its step is counted anew when it is."""
    return state.model_copy(update={"since": None, "route_digest": None})


@dataclass(frozen=True)
class Look:
    """What is seen of a version that is rolled out."""

    version: str
    digest: str
    """Route that the pods are to serve for it."""
    fleet: Fleet
    wanted: int
    """Least number of pods."""
    patience_seconds: float
    """How long pods may refuse the route."""
    load_seconds: float
    """How long they may take to load the version."""
    now: datetime

    @property
    def all_serve(self) -> bool:
        """Whether every pod serves the route."""
        return self.fleet.all_serve(self.digest, self.wanted)


def follow(state: RolloutStatus, look: Look) -> RolloutStatus:
    """The state with what is seen now: a new route sets its clock back, and all pods serving it starts it."""
    update: dict[str, object] = {"restarts": min(state.restarts, look.fleet.restarts)}
    if state.route_digest != look.digest:
        update |= {"route_digest": look.digest, "began": text(look.now), "since": None}
        if state.step <= state.steps:
            update |= {"counts": RolloutCounts(), "counted_at": None}
        return state.model_copy(update=update)
    if look.all_serve and state.since is None:
        update["since"] = text(look.now)
    if state.since is not None and _older(state.counted_at or state.since, _NOTE_SECONDS, look.now):
        state = noted(state, look)
    return state.model_copy(update=update)


def noted(state: RolloutStatus, look: Look) -> RolloutStatus:
    """The state with the counts of this very moment; those of the last step stay when the steps are over."""
    if state.step > state.steps:
        return state
    counts = look.fleet.counts(look.digest, look.version)
    return state.model_copy(update={"counts": counts, "counted_at": text(look.now)})


def obstacle(state: RolloutStatus, look: Look) -> Breach | None:
    """Why a version has to give way whatever its answers are: it ends servers, is refused, or is never loaded."""
    if look.fleet.restarts > state.restarts:
        return server_ended(look.version, look.fleet.restarts - state.restarts)
    if state.since is not None or look.all_serve:
        return None
    error = look.fleet.error(look.digest)
    if error and _older(state.began, look.patience_seconds, look.now):
        return Breach(PromotionReason.MODEL_UNUSABLE, error)
    if _older(state.began, look.load_seconds, look.now):
        message = f"version {look.version} is not served by all pods after {look.load_seconds:.0f} s"
        return Breach(PromotionReason.MODEL_UNUSABLE, f"{message}: {error}" if error else message)
    return None


def server_ended(version: str, times: int) -> Breach:
    """The breach of a version under which containers ended."""
    message = f"a server's container ended {times} times while version {version} was loaded or answered"
    return Breach(PromotionReason.SERVER_ENDED, message)


def is_over(stage: Stage, state: RolloutStatus, look: Look) -> bool:
    """Whether a stage has had its time, with every pod serving it."""
    return state.since is not None and look.all_serve and _older(state.since, stage.seconds, look.now)


def judge_stage(stage: Stage, state: RolloutStatus, look: Look) -> Breach | None:
    """The limit that the candidate breaks in its stage."""
    counts = look.fleet.counts(look.digest, look.version)
    return judge_counts(look.version, counts, stage.limits, final=is_over(stage, state, look))


def next_step(all_stages: tuple[Stage, ...], state: RolloutStatus) -> RolloutStatus:
    """The state once a stage has ended well."""
    step = state.step + 1
    percent = all_stages[step - 1].percent if step <= len(all_stages) else 100
    return pause(state).model_copy(update={"step": step, "percent": percent})


def is_watched(spec: ModelPromotionSpec, since: str, now: datetime) -> bool:
    """Whether a champion is still within the window in which it may have to give way."""
    return spec.rollback is not None and not _older(since, spec.rollback.window_seconds, now)


def judge_champion(spec: ModelPromotionSpec, state: RolloutStatus | None, look: Look) -> Breach | None:
    """Why a champion has to give way to the one before it."""
    if spec.rollback is None:
        return None
    if state is not None and look.fleet.restarts > state.restarts:
        return server_ended(look.version, look.fleet.restarts - state.restarts)
    limits = Limits(
        error_percent=spec.rollback.on_error_percent, latency_seconds=spec.rollback.on_latency_seconds
    )
    counts = look.fleet.counts(look.digest, look.version)
    return judge_counts(look.version, counts, limits, final=False)


def gave_way(before: ModelPromotionStatus, after: ModelPromotionStatus) -> str | None:
    """The reason, where a version had to give way between one status and the next."""
    candidate, known = after.candidate, before.candidate
    if candidate is None or candidate.refused is None:
        return None
    if known is not None and known.version == candidate.version and known.refused is not None:
        return None
    told = find_condition(after.conditions, PromotionCondition.ROLLED_BACK)
    return told.reason if told is not None else None


def query_of(spec: ModelPromotionSpec, status: ModelPromotionStatus, now: datetime) -> str:
    """The query that a version on its way, or lately in charge, is watched by; nothing where none is asked for."""
    champion, candidate = status.champion, status.candidate
    if spec.rollback is None or spec.rollback.on_query is None or champion is None:
        return ""
    on_its_way = (
        candidate is not None
        and candidate.version != champion.version
        and candidate.rollout is not None
        and candidate.refused is None
    )
    return spec.rollback.on_query.query if on_its_way or is_watched(spec, champion.since, now) else ""


def is_answered(spec: ModelPromotionSpec, answer: QueryAnswer | None) -> bool:
    """Whether the query, if there is one, says anything."""
    if spec.rollback is None or spec.rollback.on_query is None:
        return True
    return answer is not None and any(math.isfinite(value) for value in answer.values)


def judge_query(spec: ModelPromotionSpec, version: str, answer: QueryAnswer | None) -> Breach | None:
    """Whether Prometheus answers with a value out of bounds. What is no number, as a share of no requests, says nothing."""
    if spec.rollback is None or spec.rollback.on_query is None or answer is None:
        return None
    asked = spec.rollback.on_query
    values = [value for value in answer.values if not math.isnan(value)]
    outside = next((value for value in values if not within(value, asked.min, asked.max)), None)
    if outside is None:
        return None
    query = shorten(" ".join(asked.query.split()), _QUERY_SHOWN)
    message = f"{query} is {outside:.6g}, required is {bounds(asked.min, asked.max)}, with version {version}"
    return Breach(PromotionReason.QUERY_OUT_OF_BOUNDS, message)


def text(moment: datetime) -> str:
    """A time as it stands in status."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _older(since: str, seconds: float, now: datetime) -> bool:
    """Whether so many seconds have passed; times in status are whole seconds, rounded down."""
    return now - datetime.fromisoformat(since) >= timedelta(seconds=seconds)
