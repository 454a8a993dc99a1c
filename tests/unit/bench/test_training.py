"""What the training benchmark compares is the same work, and its goals are figures that it measures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Tuning
from modelyard_trainer.making import material_of
from modelyard_trainer.tuning.objective import make_objective
from modelyard_trainer.tuning.samplers import Question
from modelyard_trainer.tuning.samplers.grid import EveryCombination
from tests.bench.data.programs import Ran
from tests.bench.figures import summarise
from tests.bench.training import cluster, searching
from tests.bench.training.goals import goals, judgement
from tests.bench.training.making import HOUSES_TARGET, KEY, combinations, houses
from tests.bench.training.names import MODELYARD, PER_TRIAL, PLAIN
from tests.bench.training.searching import Searched
from tests.bench.training.stage import spec_of
from tests.support.fitting import spec_of as parsed
from tests.support.fitting import version_of

SCRIPT = Path(cluster.__file__).parent / "plain" / "script.py"
ESTIMATOR = {"class": "LGBMRegressor", "params": {"random_state": 42}}


def tuning(way: str) -> Tuning:
    sampler, space = searching.WAYS[way]
    return Tuning.model_validate({"trials": 60, "sampler": sampler, "space": space})


def searched(seconds: float, trees: int = 100) -> Searched:
    ran = [Ran(seconds, seconds, 100.0, "{}")] * 2
    tried = json.dumps({"n_estimators": trees, "num_leaves": 31})
    return Searched(ran, seconds, seconds + 1, {tried: 0.5}, 0.6)


def test_both_sides_try_the_same_combinations_in_the_same_order() -> None:
    asked, sampler = tuning("grid"), EveryCombination()
    ours = [
        sampler.propose(Question(asked, Direction.MINIMIZE, number, []))
        for number in range(searching.MOST_TRIALS)
    ]
    bare = [{path.rpartition(".")[2]: value for path, value in values.items()} for values in ours]
    assert bare == combinations()
    assert len({json.dumps(values) for values in bare}) == 60


def test_a_combination_is_worth_the_same_to_the_script_and_to_the_trainer(tmp_path: Path) -> None:
    table = houses(tmp_path)
    said = subprocess.run(
        [sys.executable, SCRIPT, "trial", tmp_path, "0"], capture_output=True, text=True, check=True
    )
    script = json.loads(said.stdout)
    assert script["values"] == combinations()[0]
    asked = parsed(
        spec_of("houses", HOUSES_TARGET, ESTIMATOR, tuning=tuning("grid").model_dump(exclude_unset=True))
    )
    judge = make_objective(asked, material_of(version_of(table, [KEY]), asked), threads=1).judge
    folds = list(judge({f"estimator.{name}": value for name, value in script["values"].items()}))
    assert len(folds) == 5
    assert script["value"] == pytest.approx(sum(folds) / 5, abs=1e-12)


def test_every_goal_of_a_search_is_a_figure_that_is_measured() -> None:
    found = {MODELYARD: searched(10.0), PLAIN: searched(9.5), PER_TRIAL: searched(40.0)}
    figures = [*searching.figures(searching.case("grid", 60), found)]
    figures += searching.figures(
        searching.case("tpe", 60), {name: found[name] for name in (MODELYARD, PLAIN)}
    )
    lines = judgement(summarise(figures), 60, 1_000_000).splitlines()
    assert len(lines) == len(goals(60, 1_000_000))
    verdicts = [line.partition(":")[0] for line in lines]
    assert verdicts == ["kept", "kept", "kept", "MISSED", "not measured", "not measured"]


def test_who_tries_heavier_models_may_take_longer() -> None:
    found = {MODELYARD: searched(21.0, trees=200), PLAIN: searched(10.0)}
    figures = {item.figure: item.value for item in searching.figures("any", found)}
    assert figures[searching.RELATIVE] == 2
    assert figures[searching.WORK_RELATIVE] == 1
    assert figures[searching.CPU_RELATIVE] == pytest.approx(1.05)
    assert searched(1.0, trees=200).work == 200


def test_a_pods_start_is_told_from_which_a_pod_a_trial_takes_five_times_as_long() -> None:
    start = searching.break_even(40.0, 100.0, 60)
    assert (100.0 + 60 / 2 * start) / (40.0 + start) == pytest.approx(5)
    assert searching.break_even(10.0, 60.0, 60) == 0.0
    assert searching.break_even(10.0, 20.0, 10) == float("inf")


def test_who_found_something_else_did_other_work() -> None:
    same = searched(1.0)
    searching.check_same({MODELYARD: same, PLAIN: same})
    other = Searched(same.ran, 1.0, 1.0, dict.fromkeys(same.values, 0.5001))
    with pytest.raises(RuntimeError, match="plain script differs by"):
        searching.check_same({MODELYARD: same, PLAIN: other})
    with pytest.raises(RuntimeError, match="has not tried the same 1 combinations"):
        searching.check_same({MODELYARD: same, PLAIN: Searched(same.ran, 1.0, 1.0, {"[]": 0.5})})


def test_a_pod_is_at_work_once_a_container_runs_or_has_run() -> None:
    def pod(**state: object) -> dict[str, object]:
        return {"status": {"containerStatuses": [{"state": state}]}}

    assert not cluster.is_at_work([])
    assert not cluster.is_at_work([{"status": {}}, pod(waiting={})])
    assert cluster.is_at_work([pod(waiting={}), pod(running={})])
    assert cluster.is_at_work([pod(terminated={})])


def test_percentiles_lie_between_the_values_beside_them() -> None:
    assert cluster.percentile([3.0], 99) == 3.0
    assert cluster.percentile([float(value) for value in range(101)], 50) == 50.0
    assert cluster.percentile([1.0, 2.0], 99) == pytest.approx(1.99)
