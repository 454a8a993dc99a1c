"""Drift: how often windows without any are called drifted, and how surely those with some are."""

import numpy as np
import pytest
from scipy import stats

from modelyard_api.contract.reference import OUTPUT, Reference
from modelyard_server.monitoring.chi_square import critical, survival
from modelyard_server.monitoring.drift import Bins, Watch, compare, pooled
from modelyard_trainer.reference import label_histogram, number_histogram, text_histogram

FEATURES = 8
TRAINING, WINDOW = 16_000, 500
REFERENCES = 40


def reference(generator: np.random.Generator, rows: int = TRAINING) -> Reference:
    return Reference(
        features=[number_histogram(f"x{place}", generator.normal(size=rows)) for place in range(FEATURES)],
        output=number_histogram(OUTPUT, generator.normal(size=rows // 4)),
    )


@pytest.mark.parametrize("freedom", [1, 2, 3, 8, 9, 17, 40])
@pytest.mark.parametrize("value", [0.01, 1.0, 12.5, 80.0])
def test_the_chi_square_distribution_is_scipys(freedom: int, value: float) -> None:
    assert survival(value, freedom) == pytest.approx(stats.chi2.sf(value, freedom), rel=1e-9)
    assert critical(0.001, freedom) == pytest.approx(stats.chi2.isf(0.001, freedom), rel=1e-9)


@pytest.mark.parametrize(("asked", "windows"), [(0.01, 4000), (0.05, 800)])
def test_windows_of_the_training_distribution_alarm_at_the_stated_rate(asked: float, windows: int) -> None:
    generator = np.random.default_rng(1)
    alone = 1 - (1 - asked) ** (1 / (FEATURES + 1))
    alarms = 0
    for _ in range(REFERENCES):
        held = reference(generator)
        # A window's rows fall into bins as likely as these are in truth, which is not as often as in the reference.
        of_each = [
            generator.multinomial(
                WINDOW,
                np.diff(stats.norm.cdf([-np.inf, *each.edges, np.inf])),
                size=windows // REFERENCES,
            )
            for each in (*held.features, held.output)
        ]
        for counts in zip(*of_each, strict=True):
            alarms += any(
                compare("", each.counts, np.append(now, 0), alone).score > 1
                for each, now in zip((*held.features, held.output), counts, strict=True)
            )
    assert 0.5 * asked <= alarms / windows <= 1.5 * asked


def test_a_shift_of_half_a_deviation_in_one_of_eight_features_is_found_within_a_thousand_rows() -> None:
    generator = np.random.default_rng(2)
    held = reference(generator)
    found = 0
    for begun in range(0, WINDOW, 5):
        watch = Watch(held, WINDOW, 0.01)
        # The shift does not wait for a window to begin.
        watch.add(generator.normal(size=(begun, FEATURES)), generator.normal(size=begun))
        rows = generator.normal(size=(1000, FEATURES))
        rows[:, 3] += 0.5
        found += any("x3" in verdict.drifted for verdict in watch.add(rows, generator.normal(size=1000)))
    assert found >= 90


def test_a_window_is_judged_when_it_is_full_and_not_before() -> None:
    generator = np.random.default_rng(3)
    watch = Watch(reference(generator), WINDOW, 0.01)
    rows, answers = generator.normal(size=(1250, FEATURES)), generator.normal(size=1250)
    assert watch.add(rows[:499], answers[:499]) == []
    assert [verdict.rows for verdict in watch.add(rows[499:], answers[499:])] == [WINDOW, WINDOW]


def test_values_that_begin_to_be_missing_are_drift() -> None:
    generator = np.random.default_rng(4)
    watch = Watch(reference(generator), WINDOW, 0.01)
    rows = generator.normal(size=(WINDOW, FEATURES))
    rows[:50, 6] = np.nan
    (verdict,) = watch.add(rows, generator.normal(size=WINDOW))
    assert verdict.drifted == ("x6",)


def test_a_single_value_that_was_never_seen_is_no_drift() -> None:
    window = np.array([250, 249, 1, 0])
    assert compare("kind", [8000, 8000, 0, 0], window, 0.001).score < 1
    assert compare("kind", [8000, 8000, 0, 0], np.array([200, 200, 100, 0]), 0.001).score > 1


def test_rare_bins_are_counted_together() -> None:
    before, now = pooled(np.array([9000.0, 30, 20, 50, 900, 0]), np.array([450.0, 2, 1, 2, 45, 0]))
    assert (before.tolist(), now.tolist()) == ([9000, 900, 100], [450, 45, 5])


def test_many_equally_rare_categories_are_compared_by_halves() -> None:
    before, now = pooled(np.full(400, 10.0), np.full(400, 1.0))
    assert (before.tolist(), now.tolist()) == ([2000, 2000], [200, 200])


def test_a_constant_feature_is_never_drift_by_itself() -> None:
    held = number_histogram("a", np.ones(1000))
    assert compare("a", held.counts, np.array([500, 0]), 0.01).score == 0


def test_texts_and_labels_are_counted_as_training_counted_them() -> None:
    texts = ["flat", "house"] * 50 + [float("nan")]
    kinds = Bins(text_histogram("kind", texts))
    assert kinds.count(np.array(texts, dtype=object)).tolist() == kinds.reference.counts
    assert kinds.count(np.array(["castle", "flat"], dtype=object)).tolist() == [1, 0, 1, 0]
    lengths = Bins(text_histogram("title", [f"title {place**3}" for place in range(100)]))
    counts = lengths.count(np.array(["t" * 9, float("nan")], dtype=object))
    assert (counts.sum(), counts[-1]) == (2, 1)
    labels = Bins(label_histogram(["1", "2"], ["1", "2"]))
    assert labels.count(np.array([1, 2, 2])).tolist() == [1, 2, 0, 0]


def test_the_stability_index_is_the_usual_one() -> None:
    before, now = np.array([500_000, 500_000]), np.array([600_000, 400_000])
    expected = 0.1 * np.log(1.2) - 0.1 * np.log(0.8)
    assert compare("a", before.tolist(), now, 0.01).psi == pytest.approx(expected, rel=1e-4)
