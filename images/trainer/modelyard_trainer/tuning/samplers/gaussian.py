"""A Gaussian process of the loss, and the point whose expected improvement is greatest.

scikit-learn's process does it in milliseconds for hundreds of trials; Optuna's would bring PyTorch, which is larger than
the rest of the image.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.special import ndtr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from modelyard_api.v1alpha1.tuning import Dimension, GaussianProcess
from modelyard_trainer.tuning.samplers import Question
from modelyard_trainer.tuning.space import draw, place_of
from modelyard_trainer.tuning.trial import State, Values, loss, seed_of

_CANDIDATES = 1000
_MOST_TRIALS = 300
"""The work grows with the third power of the trials; the best ones are kept."""
_SMALLEST_SPREAD = 1e-12


class Process:
    """Fitted anew for every trial."""

    def propose(self, question: Question) -> Values:
        """At random until there is enough to learn from."""
        asked, space = question.tuning.sampler.gp or GaussianProcess(), question.tuning.space
        seed = seed_of(asked.seed, question.number)
        generator = np.random.default_rng(seed)
        known, losses = _judged(question)
        if len(losses) < asked.startup_trials:
            return draw(space, generator)
        order = np.argsort(losses, kind="stable")[:_MOST_TRIALS]
        known, losses = known[order], losses[order]
        candidates = [draw(space, generator) for _ in range(_CANDIDATES)]
        places = np.array([_encoded(space, values) for values in candidates])
        promise = _expected_improvement(known, losses, places, seed)
        return candidates[int(np.argmax(promise))]


def make() -> Process:
    """The sampler."""
    return Process()


def _expected_improvement(known: np.ndarray, losses: np.ndarray, places: np.ndarray, seed: int) -> np.ndarray:
    scaled = (losses - losses.mean()) / max(float(losses.std()), _SMALLEST_SPREAD)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(
        np.full(known.shape[1], 0.5), (0.05, 20.0), nu=2.5
    ) + WhiteKernel(1e-3, (1e-6, 1.0))
    process = GaussianProcessRegressor(kernel, random_state=seed)
    # Matrices this small are slower with more threads, which are there for the fits anyway.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # That a length lies at its bound says that a parameter does not matter, which is no fault.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(known, scaled)
        mean, deviation = process.predict(places, return_std=True)
    better = scaled.min() - mean
    ratio = better / np.maximum(deviation, _SMALLEST_SPREAD)
    density = np.exp(-0.5 * ratio**2) / np.sqrt(2 * np.pi)
    return np.asarray(better * ndtr(ratio) + deviation * density)


def _judged(question: Question) -> tuple[np.ndarray, np.ndarray]:
    places, losses = [], []
    for trial in question.record:
        if trial.state is not State.COMPLETED or trial.value is None or trial.values is None:
            continue
        encoded = _encoded(question.tuning.space, trial.values)
        if encoded is not None:
            places.append(encoded)
            losses.append(loss(trial.value, question.direction))
    return np.array(places), np.array(losses)


def _encoded(space: list[Dimension], values: Values) -> list[float] | None:
    """Places of numbers, and a column for each choice: choices have no order."""
    found: list[float] = []
    for dimension in space:
        value = values.get(dimension.parameter)
        place = place_of(dimension, value)
        if place is None:
            return None
        if dimension.choice is None:
            found.append(place)
        else:
            found += [float(value == own) for own in dimension.choice.values]
    return found
