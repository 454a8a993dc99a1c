"""Workers share one study in Postgres: trials are counted exactly, whoever dies, and nothing is tried twice."""

import threading
from collections.abc import Iterator

import pytest
from psycopg import sql

from modelyard_runtime.errors import PlatformError
from modelyard_trainer.fit import EstimatorError
from modelyard_trainer.tuning.claims import MOST_LOSSES, Claim, Done, Ended, Ending, LostTrialError
from modelyard_trainer.tuning.record import Turn
from modelyard_trainer.tuning.trial import State, Values
from tests.support.postgres import PostgresServer, Project
from tests.support.tuning import SPACE, Studies, bowl, tuning

SAMPLERS = ({"tpe": {"seed": 7}}, {"random": {"seed": 7}}, {"cmaes": {"seed": 7}}, {"gp": {"seed": 7}})
CHOSEN: Values = {"estimator.alpha": 1.0, "estimator.depth": 2, "estimator.kind": "a"}


@pytest.fixture
def studies(postgres_server: PostgresServer, project: Project) -> Iterator[Studies]:
    """An empty project."""
    made = Studies(postgres_server, project)
    yield made
    made.close()


def completed(claim: Claim, value: float, *, seconds: float = 0.0, cpu: float = 0.0) -> Ended:
    return Ended(claim, Ending(State.COMPLETED, value), Done((value,), seconds, cpu))


def tried(studies: Studies, uid: str = "one") -> list[Values]:
    return [row["parameters"] for row in studies.rows(uid)]


def test_workers_side_by_side_end_exactly_as_many_trials_as_were_asked_for(studies: Studies) -> None:
    asked = tuning(trials=25, parallelism=4, sampler={"random": {}})
    workers = [studies.worker(asked, number=number) for number in range(4)]
    ended: list[int] = []
    threads = [threading.Thread(target=lambda own=own: ended.append(own.run())) for own in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rows = studies.rows()
    assert [row["number"] for row in rows] == list(range(25))
    assert {row["state"] for row in rows} == {"Completed"}
    assert sum(ended) == 25


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: next(iter(sampler)))
def test_one_worker_with_one_seed_tries_the_same_also_when_it_is_interrupted(
    studies: Studies, sampler: object
) -> None:
    asked = tuning(trials=24, sampler=sampler)
    studies.worker(asked, uid="whole").run()

    def stops(values: Values) -> float:
        if len(studies.asked) == 24 + 15:
            raise KeyboardInterrupt
        return bowl(values)

    with pytest.raises(KeyboardInterrupt):
        studies.worker(asked, uid="parts", worth=stops).run()
    studies.worker(asked, uid="parts").run()
    assert tried(studies, "parts") == tried(studies, "whole")
    other = tuning(trials=3, sampler={next(iter(sampler)): {"seed": 8}})  # type: ignore[call-overload]
    studies.worker(other, uid="other").run()
    assert tried(studies, "other") != tried(studies, "whole")[:3]


def test_a_grid_tries_every_combination_once_and_ends(studies: Studies) -> None:
    space = [
        {"parameter": "estimator.alpha", "number": {"low": "0.1", "high": "0.3", "step": "0.1"}},
        {"parameter": "estimator.depth", "integer": {"low": 1, "high": 7, "step": 3}},
        {"parameter": "estimator.kind", "choice": {"values": ["a", "b"]}},
    ]
    assert studies.worker(tuning(trials=100, sampler={"grid": {}}, space=space)).run() == 18
    values = [
        (own["estimator.alpha"], own["estimator.depth"], own["estimator.kind"]) for own in tried(studies)
    ]
    assert len(set(values)) == 18
    assert values[:3] == [(0.1, 1, "a"), (0.1, 1, "b"), (0.1, 4, "a")]


def test_values_that_were_judged_before_are_answered_from_the_record(studies: Studies) -> None:
    space = [{"parameter": "estimator.depth", "integer": {"low": 1, "high": 3}}]
    asked = tuning(trials=12, sampler={"random": {"seed": 1}}, space=space)
    studies.worker(asked, worth=lambda values: float(values["estimator.depth"])).run()
    rows = studies.rows()
    assert len(studies.asked) == len({own["estimator.depth"] for own in studies.asked}) <= 3
    assert len(rows) == 12
    for row in rows:
        assert row["value"] == row["parameters"]["estimator.depth"]
        assert row["same_as"] is None or rows[row["same_as"]]["parameters"] == row["parameters"]


def test_a_trial_of_a_worker_that_fell_silent_is_taken_over_and_its_first_holder_writes_no_more(
    studies: Studies,
) -> None:
    asked = tuning(trials=2, parallelism=2)
    first, second = (studies.record(asked, worker=number) for number in (0, 1))
    first.open(None)
    held = first.claim()
    assert held is not None
    first.choose(held, CHOSEN)
    fresh = second.claim()
    assert fresh is not None
    assert fresh.number == 1
    assert second.end(completed(fresh, 1.0)) == Turn(written=True, claim=None)
    with studies.server.session_of(studies.project) as session:
        session.execute("UPDATE tuning_trials SET heartbeat_at = heartbeat_at - interval '2 minutes'")
    taken = second.claim()
    assert taken is not None
    assert (taken.number, taken.values) == (0, CHOSEN)
    nothing = Done((), 0.0, 0.0)
    with pytest.raises(LostTrialError):
        first.beat(held, lambda: nothing)
    with pytest.raises(LostTrialError):
        first.judged(held, nothing)
    with pytest.raises(LostTrialError):
        first.choose(held, {**CHOSEN, "estimator.depth": 3})
    with pytest.raises(LostTrialError):
        first.release(held)
    assert first.end(completed(held, 0.0)) == Turn(written=False, claim=None)
    assert second.end(completed(taken, 5.0)).written
    assert second.end(completed(taken, 5.0)).written
    assert [(row["value"], row["parameters"]) for row in studies.rows()] == [(5.0, CHOSEN), (1.0, None)]


def test_a_beat_that_comes_after_the_end_of_its_trial_changes_nothing(studies: Studies) -> None:
    record = studies.record(tuning(trials=1))
    record.open(None)
    held = record.claim()
    assert held is not None
    record.beat(held, lambda: Done((1.0,), 4.0, 3.0))
    (row,) = studies.rows()
    assert (row["state"], row["folds"], row["seconds"]) == ("Running", [1.0], 4.0)
    record.end(completed(held, 2.0, seconds=5.0))
    with pytest.raises(LostTrialError):
        record.beat(held, lambda: Done((1.0, 2.0), 9.0, 9.0))
    with pytest.raises(LostTrialError):
        record.release(held)
    (row,) = studies.rows()
    assert (row["state"], row["folds"], row["seconds"], row["worker"]) == ("Completed", [2.0], 5.0, 0)


def test_a_trial_that_kills_its_workers_fails_and_one_that_is_given_back_does_not(studies: Studies) -> None:
    asked = tuning(trials=1)
    record = studies.record(asked)
    record.open(None)
    for _ in range(MOST_LOSSES + 1):
        claim = record.claim()
        assert claim is not None
        assert claim.number == 0
        record.release(claim)
    for _ in range(MOST_LOSSES):
        claim = record.claim()
        assert claim is not None
        assert claim.number == 0
    assert record.claim() is None
    (row,) = studies.rows()
    assert row["state"] == "Failed"
    assert f"{MOST_LOSSES} workers in a row died over it" in row["message"]


def test_a_trial_that_the_pipeline_refuses_fails_alone(studies: Studies) -> None:
    def worth(values: Values) -> float:
        if values["estimator.kind"] == "a":
            raise EstimatorError("does not go with this", field="fold 1")
        return bowl(values)

    studies.worker(tuning(trials=12, sampler={"random": {}}), worth=worth).run()
    states = {row["parameters"]["estimator.kind"] == "a": row["state"] for row in studies.rows()}
    assert states == {True: "Failed", False: "Completed"}
    assert any(row["message"] == "fold 1: does not go with this" for row in studies.rows())


def test_no_trial_begins_after_the_budget_of_time_is_used_up(studies: Studies) -> None:
    asked = tuning(trials=50, timeoutSeconds=10, parallelism=2)
    record = studies.record(asked)
    record.open(None)
    claim = record.claim()
    for seconds in (9.0, 8.0):
        assert claim is not None
        claim = record.end(completed(claim, 1.0, seconds=seconds, cpu=1.0)).claim
    assert claim is not None
    record.beat(claim, lambda: Done((1.0,), 3.5, 1.0))
    assert studies.record(asked, worker=1).claim() is None
    cpu = studies.record(tuning(trials=50, cpuSeconds=2), uid="cpu")
    cpu.open(None)
    claim = cpu.claim()
    assert claim is not None
    assert cpu.end(completed(claim, 1.0, seconds=0.1, cpu=2.5)).claim is None


def test_a_warm_start_tries_the_best_of_the_earlier_job_first_and_learns_from_the_rest(
    studies: Studies,
) -> None:
    studies.worker(tuning(trials=30), uid="early").run()
    best = min(studies.rows("early"), key=lambda row: row["value"])
    before = len(studies.asked)
    warm = tuning(trials=10, warmStart={"trainingJob": "job-early"})
    studies.worker(warm, uid="late").run()
    rows = studies.rows("late")
    assert rows[0]["parameters"] == best["parameters"]
    assert rows[0]["value"] == best["value"]
    assert len(studies.asked) - before < 10
    cold = studies.worker(tuning(trials=10), uid="cold")
    cold.run()
    assert sum(row["value"] for row in rows) < sum(row["value"] for row in studies.rows("cold"))
    nobody = studies.record(tuning(trials=1), uid="x")
    assert not nobody.open("job-nobody")
    changed = [{"parameter": "estimator.depth", "integer": {"low": 6, "high": 9}}, SPACE[0], SPACE[2]]
    studies.worker(tuning(trials=5, space=changed, warmStart={"trainingJob": "job-early"}), uid="else").run()
    assert all(6 <= own["estimator.depth"] <= 9 for own in tried(studies, "else"))


def test_a_median_ends_trials_that_are_worse_after_the_first_fold(studies: Studies) -> None:
    asked = tuning(trials=40, sampler={"random": {}}, pruner={"median": {"startupTrials": 5}})
    studies.worker(asked).run()
    rows = studies.rows()
    pruned = [row for row in rows if row["state"] == "Pruned"]
    assert {row["state"] for row in rows} == {"Completed", "Pruned"}
    assert {len(row["folds"]) for row in pruned} <= {1, 2}
    assert min(row["number"] for row in pruned) >= 5
    best = min(row["value"] for row in rows if row["state"] == "Completed")
    assert best <= min(row["value"] for row in pruned)


def test_postgres_that_comes_back_is_waited_for_and_no_trial_is_lost(
    studies: Studies,
) -> None:
    def worth(values: Values) -> float:
        if len(studies.asked) == 5 and not starting:
            studies.server.stop()
            starting.append(threading.Timer(0.2, studies.server.start))
            starting[0].start()
        return bowl(values)

    starting: list[threading.Timer] = []
    assert studies.worker(tuning(trials=10, sampler={"random": {}}), worth=worth).run() == 10
    starting[0].join()
    assert [row["state"] for row in studies.rows()] == ["Completed"] * 10


def test_a_schema_without_the_tables_is_a_failure_of_the_platform(studies: Studies) -> None:
    record = studies.record(tuning(trials=1))
    record.open(None)
    with studies.server.administrator() as session:
        session.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(studies.project.schema)))
    with pytest.raises(PlatformError, match="tuning_studies"):
        record.claim()
