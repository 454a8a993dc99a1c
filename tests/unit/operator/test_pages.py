"""How the operator asks pods how far they are, and what it tells Prometheus of steps."""

from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from modelyard_api.contract.progress import PROGRESS_PATH, StepProgress
from modelyard_operator.objects.steps import StepEnd, StepKind
from modelyard_operator.serving.pages import Pages
from modelyard_operator.step_metrics import StepMetrics
from tests.support.pages import served_page
from tests.support.ports import free_port
from tests.unit.operator.making import NOW
from tests.unit.operator.stepping import story

SAID = StepProgress(phase="Loading", done=3, total=10, since=NOW)


def pod(answers: list[bytes]) -> AbstractContextManager[int]:
    """A pod's page; each answer is given once."""
    return served_page(PROGRESS_PATH, lambda: answers.pop(0))


@pytest.mark.asyncio
async def test_a_pod_is_asked_once_in_five_seconds_whoever_wants_to_know() -> None:
    now = NOW
    later = SAID.model_copy(update={"done": 7})
    with pod(
        [SAID.model_dump_json(by_alias=True).encode(), later.model_dump_json(by_alias=True).encode()]
    ) as port:
        pages = Pages(port, lambda: now)
        first = await pages.look("uid", "127.0.0.1")
        assert first is not None
        assert (first.progress, first.at) == (SAID, NOW)
        now = NOW + timedelta(seconds=4)
        assert await pages.look("uid", "127.0.0.1") == first
        now = NOW + timedelta(seconds=5)
        second = await pages.look("uid", "127.0.0.1")
        assert second is not None
        assert second.progress.done == 7
        await pages.close()


@pytest.mark.asyncio
async def test_a_pod_that_does_not_answer_or_talks_nonsense_is_no_error() -> None:
    pages = Pages(free_port(), lambda: NOW)
    assert await pages.look("uid", "127.0.0.1") is None
    await pages.close()
    with pod([b"<html>", b"{}"]) as port:
        pages = Pages(port, lambda: NOW)
        assert await pages.look("one", "127.0.0.1") is None
        assert await pages.look("two", "127.0.0.1") is None
        await pages.close()


def test_what_steps_did_is_counted_and_goes_with_the_dataset() -> None:
    registry = CollectorRegistry()
    metrics = StepMetrics(registry)
    seen = story()
    seen.load()
    metrics.show([seen.dataset])
    end = StepEnd(StepKind.LOAD, 2.0, rows_loaded=10, rows_rejected=1, rules_broken=2)
    metrics.count("demo", "houses", end)
    metrics.count("demo", "houses", StepEnd(StepKind.SWEEP, None, failed=True))
    told = generate_latest(registry).decode()
    place = 'dataset="houses",namespace="demo"'
    assert f'modelyard_dataset_rows{{{place},variant="v2"}} 10.0' in told
    assert f"modelyard_dataset_rows_loaded_total{{{place}}} 10.0" in told
    assert f"modelyard_dataset_rows_rejected_total{{{place}}} 1.0" in told
    assert f"modelyard_dataset_validation_failures_total{{{place}}} 2.0" in told
    assert f'modelyard_dataset_step_failures_total{{{place},step="sweep"}} 1.0' in told
    assert f'modelyard_dataset_step_seconds_count{{{place},step="load"}} 1.0' in told
    published = registry.get_sample_value(
        "modelyard_dataset_last_publish_timestamp_seconds", {"namespace": "demo", "dataset": "houses"}
    )
    assert published == NOW.timestamp()
    metrics.show([])
    assert "houses" not in generate_latest(registry).decode()
