"""What a person sees: one line a step, with a spinner on a terminal and plain lines elsewhere."""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_REDRAW_SECONDS = 0.1
_STILL_SECONDS = 60.0


class Reporter:
    """Prints progress. `detail` of the running step is shown while it runs, then replaced by its result."""

    def __init__(self, out: TextIO = sys.stdout, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._terminal = out.isatty()
        self._detail = ""
        self._depth = 0

    def say(self, text: str) -> None:
        """Prints one line that stays."""
        self._clear()
        print(text, file=self._out, flush=True)

    def heading(self, text: str) -> None:
        self.say(f"\033[1m==> {text}\033[0m" if self._terminal else f"==> {text}")

    def detail(self, text: str) -> None:
        """Tells what the running step does just now."""
        self._detail = text.strip()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Shows a step from its beginning to its end, with the time that it took."""
        started = self._clock()
        self._detail = ""
        stop = threading.Event()
        self._depth += 1
        if not self._terminal:
            self.say(f"  … {title}")
        outer = self._depth == 1
        painter = threading.Thread(target=self._paint, args=(title, started, stop), daemon=True)
        if outer:
            painter.start()
        mark = "✗"
        try:
            yield
            mark = "✓"
        finally:
            stop.set()
            if outer:
                painter.join()
            self._depth -= 1
            self.say(f"  {mark} {title} ({self._clock() - started:.1f} s)")

    def _paint(self, title: str, started: float, stop: threading.Event) -> None:
        if self._terminal:
            for frame in itertools.cycle(_FRAMES):
                if stop.wait(_REDRAW_SECONDS):
                    return
                line = f"  {frame} {title} {self._clock() - started:.0f} s  {self._detail}"
                print(f"\r\033[2K{line[:110]}", end="", file=self._out, flush=True)
        while not stop.wait(_STILL_SECONDS):
            self.say(f"  … {title}: {self._clock() - started:.0f} s so far  {self._detail}"[:160])

    def _clear(self) -> None:
        if self._terminal:
            print("\r\033[2K", end="", file=self._out)
