"""Studies of functions that take no time, on a real Postgres."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.tuning import Tuning, budget
from modelyard_runtime.credentials import Login
from modelyard_runtime.retry import Patience
from modelyard_trainer.tuning.connection import Connection
from modelyard_trainer.tuning.record import Record
from modelyard_trainer.tuning.trial import Study, Values
from modelyard_trainer.tuning.worker import Search, Worker
from tests.support.postgres import PostgresServer, Project, postgres_endpoint

SPACE: list[dict[str, Any]] = [
    {"parameter": "estimator.alpha", "number": {"low": "0.001", "high": "10", "log": True}},
    {"parameter": "estimator.depth", "integer": {"low": 1, "high": 12}},
    {"parameter": "estimator.kind", "choice": {"values": ["a", "b", [1, 2]]}},
]


def tuning(**fields: object) -> Tuning:
    """Tuning as a user writes it."""
    return Tuning.model_validate({"trials": 10, "space": SPACE, **fields})


def bowl(values: Values) -> float:
    """A function with its lowest value at alpha 0.1, depth 5, kind b."""
    alpha, depth = float(values["estimator.alpha"]), int(values["estimator.depth"])
    return abs(alpha - 0.1) + abs(depth - 5) + float(values["estimator.kind"] != "b")


@dataclass
class Studies:
    """Workers of a project."""

    server: PostgresServer
    project: Project
    asked: list[Values] = field(default_factory=list)
    """What was judged, in order."""
    connections: list[Connection] = field(default_factory=list)
    port: int | None = None
    """Where workers reach the server; None for the server's own."""
    _readers: dict[str, Record] = field(default_factory=dict)

    def close(self) -> None:
        """Ends the connections of all workers."""
        for connection in self.connections:
            connection.close()

    def record(self, asked: Tuning, *, uid: str = "one", worker: int = 0) -> Record:
        """A study of a job, as one worker sees it; it has to be opened."""
        login = Login(self.project.username, self.project.password)
        endpoint = postgres_endpoint(self.server, self.project)
        endpoint = endpoint.model_copy(update={"port": self.port or endpoint.port})
        seconds = asked.timeout_seconds
        study = Study(
            uid=uid,
            job=f"job-{uid}",
            context="the same",
            metric="rmse",
            direction=Direction.MINIMIZE,
            budget=budget(asked),
            seconds=seconds * asked.parallelism if seconds is not None else None,
            cpu_seconds=asked.cpu_seconds,
        )
        self.connections.append(Connection(endpoint, login, Patience(total=10)))
        return Record(self.connections[-1], study, worker)

    def worker(
        self,
        asked: Tuning,
        *,
        uid: str = "one",
        number: int = 0,
        worth: Callable[[Values], float] = bowl,
        folds: int = 3,
    ) -> Worker:
        """A worker on an opened study, whose folds all come to the same."""
        record = self.record(asked, uid=uid, worker=number)
        earlier = asked.warm_start.training_job if asked.warm_start else None
        assert record.open(earlier)

        def judge(values: Values) -> Iterator[float]:
            self.asked.append(values)
            for _ in range(folds):
                yield worth(values)

        return Worker(record, Search(asked, Direction.MINIMIZE, judge, folds), lambda: None)

    def rows(self, uid: str = "one") -> list[Mapping[str, Any]]:
        """What is recorded of a job's own trials."""
        if uid not in self._readers:
            self._readers[uid] = self.record(tuning(), uid=uid)
            self._readers[uid].prepare()
        return list(self._readers[uid].table())

    def working(self, uid: str, worker: int) -> bool:
        """Whether a worker holds a trial."""
        return any(row["state"] == "Running" and row["worker"] == worker for row in self.rows(uid))
