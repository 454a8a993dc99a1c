"""What a version has learned from its training part stands in its manifest."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from modelyard_api.contract.manifest import Manifest
from modelyard_api.contract.outcome import LoadOutcome
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.loading import OnReject, Quarantine
from modelyard_runtime.split import SplitLine
from tests.integration.loader.test_california import versions_of
from tests.integration.loader.test_incremental_refresh import again, put, uploaded
from tests.support.loading import LoaderRun, variants

_VARIANTS: Sequence[object] = [
    {"name": "v1"},
    {
        "name": "filled",
        "from": "v1",
        "transforms": [{"fillMissing": {"columns": ["price"], "strategy": "Median"}}],
    },
    {
        "name": "binned",
        "from": "filled",
        "transforms": [{"bin": {"column": "price", "into": "half", "quantiles": 2}}],
    },
]


def _manifest(run: LoaderRun, outcome: LoadOutcome, variant: str) -> Manifest:
    return versions_of(run, outcome)[variant].manifest


def _median(run: LoaderRun, outcome: LoadOutcome) -> float:
    """Of the training part, computed without the loader's engine."""
    table = versions_of(run, outcome)["v1"].table
    held = SplitLine(Split(), ("id",)).mask(table)
    prices = zip(table.column("price").to_pylist(), held, strict=True)
    return float(statistics.median(price for price, is_held in prices if price is not None and not is_held))


def test_the_manifest_tells_what_was_learned_up_to_its_load(loader: LoaderRun) -> None:
    run = replace(loader, name="offers", primary_key=["id"])
    put(run, "a.csv", {number: None if number % 4 == 0 else number / 2 for number in range(1, 41)})
    step = uploaded(run, variants=variants(_VARIANTS))
    first = run.here(step)
    put(run, "b.csv", {number: number * 10.0 for number in range(41, 81)})
    second = run.here(again(step, 2))
    assert _manifest(run, first, "v1").learned == []
    for outcome in (first, second):
        (fill,) = _manifest(run, outcome, "filled").learned
        assert (fill.step, fill.column) == ("spec.variants filled.transforms[0].fillMissing", "price")
        assert fill.values == [_median(run, outcome)]
        filled, binned = _manifest(run, outcome, "binned").learned
        assert filled == fill
        assert (binned.step, binned.column) == ("spec.variants binned.transforms[0].bin", "price")
    assert _median(run, first) != _median(run, second)


def test_a_load_that_adds_no_row_takes_over_what_was_learned(loader: LoaderRun) -> None:
    run = replace(loader, name="offers", primary_key=["id"])
    policy = OnReject(quarantine=Quarantine(limit=1))
    put(run, "a.csv", {number: None if number % 4 == 0 else number / 2 for number in range(1, 41)})
    step = uploaded(run, variants=variants(_VARIANTS), on_reject=policy)
    first = run.here(step)
    schema = run.project.schema
    run.s3.store(schema).create(f"{schema}/inbox/offers/b.csv", b"id,price\n,5\n")
    second = run.here(again(step, 2))
    assert (second.sequence, second.rows, second.rejected) == (2, 40, 1)
    before, after = (_manifest(run, outcome, "binned") for outcome in (first, second))
    assert (after.sequence, after.parts, after.learned) == (2, before.parts, before.learned)
