"""Plots of a study: the same bytes each time, none where there is nothing to see."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Dimension
from modelyard_trainer.tuning.plots import Searched, draw_study
from modelyard_trainer.tuning.space import draw
from modelyard_trainer.tuning.trial import State, Trial
from tests.support.tuning import SPACE, bowl


def searched(trials: int = 30) -> Searched:
    """A study at random, some trials of it ended early, one failed and one gone quite wrong."""
    space = [Dimension.model_validate(own) for own in SPACE]
    generator = np.random.default_rng(4)
    found = []
    for number in range(trials):
        values = draw(space, generator)
        worth = bowl(values) * (1000 if number == 3 else 1)
        state = State.PRUNED if number % 5 == 4 else State.FAILED if number == 7 else State.COMPLETED
        folds = (worth,) if state is State.PRUNED else (worth, worth)
        found.append(Trial(number, state, values, worth if state is not State.FAILED else None, folds))
    return Searched(space, "rmse", Direction.MINIMIZE, found)


def test_a_study_has_three_plots_that_are_the_same_bytes_each_time() -> None:
    drawn = draw_study(searched())
    assert set(drawn) == {"history.png", "importance.png", "parallel.png"}
    for content in drawn.values():
        width, height = Image.open(io.BytesIO(content)).size
        assert width > 900
        assert 200 < height < 900
    assert draw_study(searched()) == drawn
    upwards = draw_study(replace(searched(), direction=Direction.MAXIMIZE))
    assert upwards["history.png"] != drawn["history.png"]
    assert upwards["parallel.png"] != drawn["parallel.png"]


def test_a_study_of_a_few_trials_has_none() -> None:
    assert draw_study(searched(3)) == {}
    assert len(draw_study(searched(5))) == 3
