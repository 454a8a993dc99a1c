"""Series that cost a request little: plain numbers, written out for Prometheus only when it asks.

Constructors are those of ``prometheus_client``. Two things differ. A value is a number without a lock: adding to it is one
step of the interpreter, which no other thread comes between. And all values together can be taken out as a document and
added to those of another process, so that a pod of several processes tells the truth about the pod.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

Labels = tuple[str, ...]
Held = Mapping[str, Sequence[Any]]
"""Values by name: a list of [labels, value] each; JSON."""
Together = Literal["sum", "least", "greatest"]
"""What the gauges of several processes say about all of them."""

_TOGETHER: Mapping[str, Callable[[float, float], float]] = {
    "sum": lambda one, other: one + other,
    "least": min,
    "greatest": max,
}


class Number:
    """A value that is added to or set."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Adds to it."""
        self.value += amount

    def set(self, value: float) -> None:
        """Replaces it."""
        self.value = float(value)

    def held(self) -> float:
        """The value, as JSON, which has null for what is no number."""
        return self.value

    def add(self, held: float | None, together: Together) -> None:
        """Takes the value of another process in."""
        self.value = _TOGETHER[together](self.value, float("nan") if held is None else held)


class Distribution:
    """How many values were how large."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Counts a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def held(self) -> list[float]:
        """Counts and, at the end, the sum, as JSON."""
        return [*self.counts, self.total]

    def add(self, held: Sequence[float], together: Together) -> None:
        """Takes the values of another process in."""
        del together
        self.counts = [one + int(other) for one, other in zip(self.counts, held[:-1], strict=True)]
        self.total += held[-1]

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bounds as Prometheus writes them, each with how many values were not larger."""
        found, count = [], 0
        for bound, own in zip((*self._bounds, float("inf")), self.counts, strict=True):
            count += own
            found.append(("+Inf" if bound == float("inf") else repr(float(bound)), float(count)))
        return found


Value = TypeVar("Value", Number, Distribution)
Filled = TypeVar("Filled", CounterMetricFamily, GaugeMetricFamily)


class Registry:
    """All series of a process."""

    def __init__(self) -> None:
        self._families: dict[str, Family[Any]] = {}

    def register(self, family: Family[Any]) -> None:
        """Adds a family. Raises ValueError for a name that is taken."""
        if family.name in self._families:
            raise ValueError(f"{family.name} is there already")
        self._families[family.name] = family

    def held(self) -> Held:
        """All values, as JSON."""
        return {name: family.held() for name, family in self._families.items()}

    def resume(self, held: Held) -> None:
        """Goes on from counts of an earlier process; what gauges said is over."""
        for name, family in self._families.items():
            if not isinstance(family, Gauge):
                family.add(held.get(name, ()))

    def metrics(self, others: Iterable[Held] = ()) -> Iterator[Metric]:
        """What Prometheus is told: the values of this process, together with those of others."""
        rest = list(others)
        for name, family in self._families.items():
            if not rest:
                yield family.metric()
                continue
            together = family.alike()
            for held in (family.held(), *(other.get(name, ()) for other in rest)):
                together.add(held)
            yield together.metric()


class Family(Generic[Value]):
    """Series of one name, one for each combination of labels; without labels, just one."""

    together: Together = "sum"

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        registry: Registry | None,
    ) -> None:
        self.name = name
        self.documentation = documentation
        self.labelnames = tuple(labelnames)
        self._children: dict[Labels, Value] = {}
        if not labelnames:
            self._children[()] = self._fresh()
        if registry is not None:
            registry.register(self)

    def labels(self, *values: str) -> Value:
        """The series with these labels; it is made where it is not there."""
        found = self._children.get(values)
        if found is not None:
            return found
        if len(values) != len(self.labelnames):
            raise ValueError(f"{self.name} has the labels {self.labelnames}")
        found = self._children[tuple(str(value) for value in values)] = self._fresh()
        return found

    def clear(self) -> None:
        """Forgets all series."""
        self._children.clear()

    def remove(self, **labels: str) -> None:
        """Forgets the series that have these labels among theirs."""
        wanted = [(self.labelnames.index(name), value) for name, value in labels.items()]
        for key in list(self._children):
            if all(key[place] == value for place, value in wanted):
                self._children.pop(key, None)

    def held(self) -> list[tuple[list[str], Any]]:
        """Values with their labels, as JSON."""
        return [(list(labels), child.held()) for labels, child in list(self._children.items())]

    def add(self, held: Iterable[Sequence[Any]]) -> None:
        """Takes the values of another process in; the first to name a series says what it is."""
        for labels, value in held:
            key = tuple(labels)
            known = key in self._children
            self.labels(*key).add(value, self.together if known else "sum")

    def alike(self) -> Family[Value]:
        """The same family, without a value and in no registry."""
        raise NotImplementedError

    def metric(self) -> Metric:
        """The family as Prometheus's library writes it."""
        raise NotImplementedError

    def _fresh(self) -> Value:
        raise NotImplementedError

    def _alone(self) -> Value:
        return self._children[()]


class Numbers(Family[Number]):
    """What counters and gauges have in common: a number for each series."""

    def inc(self, amount: float = 1) -> None:
        """Adds to the one series of a family without labels."""
        self._alone().value += amount

    def _filled(self, family: Filled) -> Filled:
        for labels, child in list(self._children.items()):
            family.add_metric(labels, child.value)
        return family

    def _fresh(self) -> Number:
        return Number()


class Counter(Numbers):
    """Goes up only."""

    def alike(self) -> Counter:
        """See ``Family``."""
        made = Counter(self.name, self.documentation, self.labelnames, registry=None)
        made.clear()
        return made

    def metric(self) -> Metric:
        """See ``Family``."""
        return self._filled(CounterMetricFamily(self.name, self.documentation, labels=self.labelnames))


class Gauge(Numbers):
    """Goes up and down. ``together`` says what several processes' values are to a pod."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        registry: Registry | None,
        together: Together = "sum",
    ) -> None:
        super().__init__(name, documentation, labelnames, registry=registry)
        self.together = together

    def set(self, value: float) -> None:
        """Sets the one series of a family without labels."""
        self._alone().value = float(value)

    def alike(self) -> Gauge:
        """See ``Family``."""
        made = Gauge(self.name, self.documentation, self.labelnames, registry=None, together=self.together)
        made.clear()
        return made

    def metric(self) -> Metric:
        """See ``Family``."""
        return self._filled(GaugeMetricFamily(self.name, self.documentation, labels=self.labelnames))


class Histogram(Family[Distribution]):
    """How values are distributed over buckets."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: Registry | None,
    ) -> None:
        self._buckets = tuple(float(bound) for bound in buckets)
        super().__init__(name, documentation, labelnames, registry=registry)

    def observe(self, value: float) -> None:
        """Counts a value of the one series of a family without labels."""
        self._alone().observe(value)

    def alike(self) -> Histogram:
        """See ``Family``."""
        made = Histogram(self.name, self.documentation, self.labelnames, buckets=self._buckets, registry=None)
        made.clear()
        return made

    def metric(self) -> Metric:
        """See ``Family``."""
        family = HistogramMetricFamily(self.name, self.documentation, labels=self.labelnames)
        for labels, child in list(self._children.items()):
            family.add_metric(labels, buckets=child.cumulative(), sum_value=child.total)
        return family

    def _fresh(self) -> Distribution:
        return Distribution(self._buckets)
