"""Looks at answered requests on a thread of its own: logs them, remembers them for their labels, and watches for drift.

The thread shares the interpreter with the requests. So it looks at a few of them at a time and lets others run between.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from modelyard_api.contract.monitoring import DriftSettings, MonitoringSettings
from modelyard_server.errors import OverloadedError
from modelyard_server.models.loading import LoadedModel
from modelyard_server.monitoring.accuracy import Accuracy
from modelyard_server.monitoring.drift import Watch
from modelyard_server.monitoring.logbook import Logbook, Place
from modelyard_server.monitoring.metrics import MonitoringMetrics
from modelyard_server.monitoring.records import Label
from modelyard_server.monitoring.tap import Answered, Tap
from modelyard_server.monitoring.uploads import Uploads
from modelyard_server.serving import Role, ServedModel

_ROUND_SECONDS = 0.25
_AT_ONCE = 64
"""Requests that are looked at before others may run: about the time of one prediction."""
_MOST_LABELS = 100_000
_CLOSE_SECONDS = 5.0
_LATEST_WINDOWS = 20
"""So many tell drift from false alarms, and from drift that is over."""
_NAMES_TOLD = 5

_log = logging.getLogger(__name__)


class Version(NamedTuple):
    """A version as it is watched."""

    model: str
    version: str
    digest: str


class Drift:
    """Windows of the versions that are held. Used by one thread."""

    def __init__(self, settings: DriftSettings, metrics: MonitoringMetrics) -> None:
        self._rows = settings.window_rows
        self._false_alarm = float(settings.false_alarm_percent) / 100
        self._metrics = metrics
        self._watches: dict[Version, Watch] = {}
        self._latest: dict[Version, deque[tuple[str, ...]]] = {}
        """What drifted in each of the latest windows."""

    def add(self, served: ServedModel, entries: Sequence[Answered]) -> None:
        """Counts requests of a version that has a reference."""
        reference = served.model.reference
        if reference is None:
            return
        key = Version(served.name, served.version, served.model.digest)
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = Watch(reference, self._rows, self._false_alarm)
            self._latest[key] = deque(maxlen=_LATEST_WINDOWS)
            self._metrics.begin(key.model, key.version)
        matrix = np.concatenate([entry.matrix for entry in entries])
        outputs = np.concatenate([entry.answer.predictions for entry in entries])
        for verdict in watch.add(matrix, outputs):
            self._metrics.show(key.model, key.version, verdict)
            self._latest[key].append(verdict.drifted)
        self._tell(served, self._latest[key])

    def keep(self, held: frozenset[Version]) -> None:
        """Forgets versions that are not held any more."""
        for key in self._watches.keys() - held:
            del self._watches[key], self._latest[key]
            if not any(each[:2] == key[:2] for each in held):
                self._metrics.forget(key.model, key.version)

    def _tell(self, served: ServedModel, latest: Sequence[tuple[str, ...]]) -> None:
        """The latest windows as the operator reads them; those of an earlier route of the same version count on."""
        tally, names = served.tally, Counter(name for drifted in latest for name in drifted)
        tally.windows, tally.drifted = len(latest), sum(bool(drifted) for drifted in latest)
        tally.drifting = [name for name, _ in names.most_common(_NAMES_TOLD)]


class Monitor:
    """What requests tell, for one process. ``tap`` is where they leave their answers."""

    def __init__(
        self,
        settings: MonitoringSettings,
        place: Place,
        create: Callable[[str, bytes], object],
        metrics: MonitoringMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``create`` writes an object of a key and raises StepError while the store does not answer."""
        self.tap = Tap(settings.buffer_bytes)
        self.clock = clock
        self._metrics = metrics
        self._drift = Drift(settings.drift, metrics)
        self._log: Logbook | None = None
        if (log := settings.log) is not None:
            lost = self._lost
            self._uploads = Uploads(create, log.waiting_files, lost)
            self._log = Logbook(log, place, metrics, self._uploads.offer)
            self._accuracy = Accuracy(log.remembered_rows, metrics)
        self._lock = threading.Lock()
        self._labels: list[Label] = []
        self._held: frozenset[Version] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    @property
    def logs(self) -> bool:
        """Whether predictions are logged and labels taken."""
        return self._log is not None

    def tap_of(self, model: LoadedModel) -> Tap | None:
        """Where answers of a model are left; None where nothing would be learnt from them."""
        return self.tap if self.logs or model.reference is not None else None

    def start(self) -> None:
        """Begins to look."""
        if self._log is not None:
            self._uploads.start()
        self._thread.start()

    def close(self) -> None:
        """Looks at what is left and writes it, for a few seconds at most."""
        self._stopping.set()
        self.tap.filling.set()
        self._thread.join(_CLOSE_SECONDS)
        if self._log is not None:
            self._uploads.close(_CLOSE_SECONDS)

    def keep(self, held: Sequence[ServedModel]) -> None:
        """Says which versions are held from now on.

        What the last windows of the version before showed would stand for ever: it is kept for a way back, and not asked.
        """
        watched = (each for each in held if each.role is not Role.PREVIOUS)
        self._held = frozenset(Version(each.name, each.version, each.model.digest) for each in watched)

    def label(self, labels: Sequence[Label]) -> None:
        """Takes labels over. Raises OverloadedError where too many wait already, of which then none is taken."""
        with self._lock:
            if len(self._labels) + len(labels) > _MOST_LABELS:
                raise OverloadedError(f"{len(self._labels)} labels wait to be stored; try again")
            self._labels.extend(labels)

    def round(self, *, final: bool = False) -> None:
        """One look at all that came since the last."""
        with self._lock:
            labels, self._labels = self._labels, []
        # Labels are taken first: the answer that one is about came before it.
        entries, dropped = self.tap.take()
        self._metrics.lose(dropped, "buffer")
        for start in range(0, len(entries), _AT_ONCE):
            for served, group in groupby(entries[start : start + _AT_ONCE], key=_of_model):
                self._learn(served, list(group))
            time.sleep(0)
        if self._held is not None:
            self._drift.keep(self._held)
        if self._log is not None:
            self._accuracy.judge(labels)
            self._log.add_labels(labels)
            self._log.flush(self.clock(), final=final)

    def _learn(self, served: ServedModel, entries: list[Answered]) -> None:
        try:
            if self._log is not None:
                self._accuracy.remember(entries)
                self._log.add(served, entries)
            self._drift.add(served, entries)
        except Exception:  # noqa: BLE001  what one model does must not end the log of the others
            _log.exception("answers of version %s are not looked at", served.version)
            self._metrics.lose(sum(len(entry.matrix) for entry in entries), "fault")

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.tap.filling.wait(_ROUND_SECONDS)
            self._round_safely(final=False)
        self._round_safely(final=True)

    def _round_safely(self, *, final: bool) -> None:
        try:
            self.round(final=final)
        except Exception:  # noqa: BLE001  a monitor that ends is one that nobody misses
            _log.exception("a round of the monitor failed")

    def _lost(self, rows: int) -> None:
        self._metrics.lose(rows, "storage")


def _of_model(entry: Answered) -> ServedModel:
    return entry.served
