"""The one status write of a reconcile, and the events that go with it."""

from __future__ import annotations

from typing import Any, cast

from modelyard_api.conditions import Condition, ConditionStatus, Observation, find_condition
from modelyard_api.v1alpha1.common import ResourceStatus
from modelyard_operator.cluster.events import Happening
from modelyard_operator.cluster.kinds import Kind
from modelyard_operator.errors import ConflictError, NotFoundError
from modelyard_operator.objects.custom import CustomObject
from modelyard_operator.reconcilers.context import Context

Parent = CustomObject[Any, Any]


async def write_status(
    context: Context, kind: Kind[Any], parent: Parent, status: ResourceStatus, *told: str
) -> bool:
    """Writes the status if it is another. False where the object had changed meanwhile: look at it again.

    ``told`` are types of conditions whose changes are worth an event.
    """
    patch = difference(parent.status.to_wire(), status.to_wire())
    if not patch:
        return True
    meta = parent.metadata
    body = {"metadata": {"resourceVersion": meta.resource_version}, "status": patch}
    try:
        written = await context.cluster.patch(kind, meta.namespace, meta.name, body, "status")
    except NotFoundError:
        context.store.remove(kind, meta.namespace, meta.name, meta.uid)
        return True
    except ConflictError:
        await refresh(context, kind, parent)
        return False
    context.store.put(kind, written)
    for reason, changed in _changes(parent, status, told).items():
        _record(context, kind, parent, reason, changed.message, warning=_is_warning(status, changed))
    return True


def tell(context: Context, kind: Kind[Any], parent: Parent, what: Observation) -> None:
    """An event about something that no condition tells."""
    _record(context, kind, parent, what.reason, what.message, warning=what.status == ConditionStatus.FALSE)


async def refresh(context: Context, kind: Kind[Any], parent: Parent) -> None:
    """Reads the object as it is now."""
    meta = parent.metadata
    live = await context.cluster.get(kind, meta.namespace, meta.name)
    if live is None:
        context.store.remove(kind, meta.namespace, meta.name, meta.uid)
    else:
        context.store.put(kind, live)


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that turns one document into the other; empty where they are the same."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        known = before.get(key)
        if known == value:
            continue
        if isinstance(known, dict) and isinstance(value, dict):
            patch[key] = difference(known, value)
        else:
            patch[key] = value
    return patch


def _changes(parent: Parent, status: ResourceStatus, told: tuple[str, ...]) -> dict[str, Condition]:
    """Conditions that changed, by reason: several that change for one reason are told of once."""
    changes: dict[str, Condition] = {}
    for type_ in told:
        before = find_condition(cast("ResourceStatus", parent.status).conditions, type_)
        after = find_condition(status.conditions, type_)
        if after is not None and not (before is not None and _same(before, after)):
            changes.setdefault(after.reason, after)
    return changes


def _record(
    context: Context, kind: Kind[Any], parent: Parent, reason: str, message: str, *, warning: bool
) -> None:
    meta = parent.metadata
    context.events.record(
        Happening(
            kind=kind.name,
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
            warning=warning,
            reason=reason,
            message=message,
            resource_version=meta.resource_version,
        )
    )


def _same(before: Condition, after: Condition) -> bool:
    return (before.status, before.reason) == (after.status, after.reason)


def _is_warning(status: ResourceStatus, summary: Condition) -> bool:
    stalled = find_condition(status.conditions, "Stalled")
    failed = stalled is not None and stalled.status == ConditionStatus.TRUE
    return failed or summary.reason in {
        "Retrying",
        "Image",
        "Quota",
        "Unschedulable",
        "Platform",
        "RulesBroken",
        "DifferentValues",
        "Data",
        "Code",
        "GateFailed",
        "ModelUnusable",
        "TooManyErrors",
        "TooSlow",
        "QueryOutOfBounds",
        "TooMuchDisagreement",
        "TrafficDrifted",
        "ServerEnded",
        "NotRecorded",
    }
