"""When the next step of a Dataset is due, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from modelyard_api.v1alpha1.loading import LoadPlan

_FIELDS = 5


def next_time(plan: LoadPlan, last: datetime) -> datetime | None:
    """First time after ``last``, when the last step ended, at which a step comes by itself; None without a plan.

    Times that passed meanwhile count as one. The schedule must have no ``schedule_fault``.
    """
    if plan.interval_seconds is not None:
        return last + timedelta(seconds=plan.interval_seconds)
    if plan.schedule is not None:
        return next(CronSim(plan.schedule, last.astimezone(UTC)))
    return None


def schedule_fault(plan: LoadPlan, now: datetime) -> str:
    """What is wrong with the schedule: field, value and remedy; empty where it is well."""
    if plan.schedule is None:
        return ""
    if len(plan.schedule.split()) != _FIELDS:
        return _explain(plan.schedule, "it has not five fields")
    try:
        next(CronSim(plan.schedule, now.astimezone(UTC)))
    except StopIteration:
        return _explain(plan.schedule, "no time ever fits it")
    except CronSimError as error:
        return _explain(plan.schedule, str(error))
    return ""


def _explain(schedule: str, fault: str) -> str:
    return (
        f"spec.load.schedule = '{schedule}': {fault[:1].lower()}{fault[1:]}. Write minute, hour, day, month and "
        "weekday in UTC, for example '*/10 * * * *'"
    )
