"""Progress on stderr: a moving line on a terminal, a line a minute into a file."""

from __future__ import annotations

import sys
import time


class Progress:
    """Counts with a rate: rewritten in place at most ten times a second, or, where stderr is no terminal, one line for
    every minute that work takes, so that a log shows whether it goes on."""

    REWRITTEN, LOGGED = 0.1, 60.0

    def __init__(self, unit: str, total: int | None = None) -> None:
        self.unit, self.total = unit, total
        self.started = self._since = time.monotonic()
        self._stage, self._first = "", 0
        self._live = sys.stderr.isatty()
        self._shown = 0.0 if self._live else self.started

    def stage(self, name: str, unit: str, total: int | None, done: int = 0) -> None:
        """Another kind of work begins unless it has already: rate and time left are its own, from `done` on, which is
        not 0 where a run goes on."""
        if name != self._stage:
            self._stage, self.unit, self.total = name, unit, total
            self._since, self._first = time.monotonic(), done

    def update(self, done: int, detail: str = "") -> None:
        """Show that `done` units are done."""
        now = time.monotonic()
        if now - self._shown < (self.REWRITTEN if self._live else self.LOGGED):
            return
        self._shown = now
        rate = (done - self._first) / max(now - self._since, 1e-9)
        of = f" of {self.total:,}" if self.total else ""
        left = f", {(self.total - done) / rate:,.0f} s left" if self.total and rate else ""
        pace = f"{1 / rate:,.1f} s each" if 0 < rate < 1 else f"{rate:,.0f}/s"
        line = f"{done:,}{of} {self.unit}, {pace}{left}{detail}"
        sys.stderr.write(f"\r\x1b[K{line}" if self._live else f"{line}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away, before a message or at the end."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started


def say(message: str, progress: Progress | None = None) -> None:
    """A line on stderr, with unsafe characters escaped."""
    from xsearch.cli.display import clean

    if progress:
        progress.clear()
    sys.stderr.write(f"{clean(message)}\n")
