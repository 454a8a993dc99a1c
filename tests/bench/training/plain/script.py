"""What one writes without Modelyard: the same rows, folds and model, by the libraries alone.

``script.py search DIRECTORY WAY TRIALS PROCESS`` is one of two processes of a study that they share through a file, the
cheapest storage that Optuna has for several processes; the first one fits the best values at the end.
``script.py trial DIRECTORY NUMBER`` judges one combination and ends, as systems with a pod for each trial do.
``script.py fit FILE TARGET CLASS`` reads rows, holds a fifth of them out, fits and judges.

DIRECTORY holds train.parquet and test.parquet (features, target last) and plan.json with folds, seeds and combinations.
Answers are one JSON document on standard output; times are seconds since 1970.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

_PAUSE_SECONDS = 0.02

Values = dict[str, Any]


class Houses:
    """Rows, folds and what values are worth on them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plan = json.loads((directory / "plan.json").read_text())
        self.X, self.y = self._rows("train")

    def worth(self, values: Values) -> float:
        """Mean error over the folds."""
        from sklearn.model_selection import KFold, cross_val_score  # noqa: PLC0415

        folds = KFold(self.plan["folds"], shuffle=True, random_state=self.plan["split_seed"])
        scores = cross_val_score(
            self.model(values, threads=1), self.X, self.y, cv=folds, scoring="neg_root_mean_squared_error"
        )
        return -float(scores.mean())

    def model(self, values: Values, threads: int) -> Any:  # noqa: ANN401  LightGBM has no types
        """Sums in the same order as the trainer does, so that values can be compared to their last digits."""
        from lightgbm import LGBMRegressor  # noqa: PLC0415

        given = {"random_state": self.plan["seed"], **values}
        return LGBMRegressor(n_jobs=threads, verbose=-1, deterministic=True, force_row_wise=True, **given)

    def error_of_best(self, values: Values) -> float:
        """Error on the test part of a model that learnt from the whole training part; the model is kept."""
        import joblib  # noqa: PLC0415
        from sklearn.metrics import root_mean_squared_error  # noqa: PLC0415

        model = self.model(values, threads=-1).fit(self.X, self.y)
        joblib.dump(model, self.directory / "model.joblib")
        X, y = self._rows("test")
        return float(root_mean_squared_error(y, model.predict(X)))

    def _rows(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        return _arrays(pq.read_table(self.directory / f"{part}.parquet"), None)


def search(directory: Path, way: str, trials: int, process: int) -> dict[str, Any]:
    """Takes part in a study until it has so many trials."""
    import optuna  # noqa: PLC0415
    from optuna.storages import JournalStorage  # noqa: PLC0415
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415
    from optuna.study import MaxTrialsCallback  # noqa: PLC0415
    from optuna.trial import TrialState  # noqa: PLC0415

    houses = Houses(directory)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Two samplers of one seed would try the same.
    sampler = optuna.samplers.TPESampler(seed=houses.plan["seed"] + process)
    storage = JournalStorage(JournalFileBackend(str(directory / f"{way}.journal")))
    study = optuna.create_study(study_name=way, storage=storage, sampler=sampler, load_if_exists=True)
    if way == "grid":
        _enqueue(study, houses.plan["grid"][:trials], process)
    asked = {"grid": _combination, "tpe": _suggested}[way]
    begun = MaxTrialsCallback(trials, states=(TrialState.COMPLETE, TrialState.RUNNING))
    study.optimize(lambda trial: houses.worth(asked(trial)), callbacks=[begun])
    if process:
        return {}
    _until(lambda: not study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
    done = study.get_trials(states=(TrialState.COMPLETE,))
    return {
        "ended": max(own.datetime_complete.timestamp() for own in done if own.datetime_complete is not None),
        "trials": [{"values": own.params, "value": own.value} for own in done],
        "rmse": houses.error_of_best(study.best_params),
    }


def trial(directory: Path, number: int) -> dict[str, Any]:
    """Judges one combination."""
    houses = Houses(directory)
    values = houses.plan["grid"][number]
    return {"values": values, "value": houses.worth(values)}


def fit(file: Path, target: str, name: str) -> dict[str, Any]:
    """One fit; says when the imports were done and when the fit began."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415
    from sklearn.linear_model import LinearRegression  # noqa: PLC0415
    from sklearn.metrics import root_mean_squared_error  # noqa: PLC0415
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    known = {known.__name__: known for known in (HistGradientBoostingRegressor, LinearRegression)}
    imported = time.time()
    X, y = _arrays(pq.read_table(file), target)
    learnt, held, learnt_y, held_y = train_test_split(X, y, test_size=0.2, random_state=42)
    del X, y
    fitting = time.time()
    model = known[name]().fit(learnt, learnt_y)
    fitted = time.time()
    rmse = float(root_mean_squared_error(held_y, model.predict(held)))
    return {"imported": imported, "fitting": fitting, "fitted": fitted, "rmse": rmse}


def _enqueue(study: Any, combinations: list[Values], process: int) -> None:  # noqa: ANN401  a study of Optuna
    """The first process says what is tried, the others wait for it."""
    if process == 0:
        for values in combinations:
            study.enqueue_trial(values)
    _until(lambda: len(study.get_trials(deepcopy=False)) >= len(combinations))


def _combination(trial: Any) -> Values:  # noqa: ANN401  a trial of Optuna
    return {
        "n_estimators": trial.suggest_int("n_estimators", 100, 300),
        "num_leaves": trial.suggest_int("num_leaves", 15, 60),
        "min_child_samples": trial.suggest_int("min_child_samples", 10, 30),
    }


def _suggested(trial: Any) -> Values:  # noqa: ANN401  a trial of Optuna
    return {
        "n_estimators": trial.suggest_int("n_estimators", 50, 400),
        "num_leaves": trial.suggest_int("num_leaves", 7, 127, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 5, 100, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1.0),
    }


def _arrays(table: Any, target: str | None) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401  pyarrow has no types
    """Features and target, which is the last column unless it is named; a key is no feature."""
    target = target or table.column_names[-1]
    features = [name for name in table.column_names if name not in {"id", target}]
    X = np.column_stack([table.column(name).to_numpy() for name in features])
    return X.astype(np.float64, copy=False), table.column(target).to_numpy()


def _until(look: Callable[[], bool]) -> None:
    while not look():
        time.sleep(_PAUSE_SECONDS)


def main() -> None:
    """Does what the arguments say."""
    what, place, *rest = sys.argv[1:]
    if what == "search":
        answer = search(Path(place), rest[0], int(rest[1]), int(rest[2]))
    elif what == "trial":
        answer = trial(Path(place), int(rest[0]))
    else:
        answer = fit(Path(place), rest[0], rest[1])
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
