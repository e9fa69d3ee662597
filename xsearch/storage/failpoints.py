"""Named places where a test makes the program die, to see that nothing committed is lost.

`reach(name)` stands at every step of a write that a crash could part from the next. Unarmed, which is always so
outside tests, it costs one dictionary lookup.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POINTS: tuple[str, ...] = (
    # The engine, in the order of an add, a commit and a compaction.
    "ingest.file_done",
    "add.prepare",
    "add.encode",
    "add.store",
    "commit.columns",
    "commit.live",
    "commit.hash",
    "compact.store",
    "compact.batch",
    "compact.before_manifest",
    "compact.after_manifest",
    "augment.generated",
    "augment.stored",
    "augment.committed",
    "augment.appended",
    "augment.before_manifest",
    # The retrievers' segments.
    "retrieve.bm25.flush.before",
    "retrieve.bm25.flush.language",
    "retrieve.bm25.flush.after",
    "retrieve.dense.flush.before",
    "retrieve.dense.write.before",
    "retrieve.dense.write.codes",
    "retrieve.dense.write.after",
    "retrieve.dense.flush.merged",
    "retrieve.dense.flush.quantised",
    "retrieve.dense.flush.after",
    "retrieve.impact.flush.before",
    "retrieve.impact.write.before",
    "retrieve.impact.write.after",
    "retrieve.impact.flush.merged",
    "retrieve.impact.flush.after",
    "retrieve.tokens.flush.before",
    "retrieve.tokens.write.before",
    "retrieve.tokens.write.after",
    "retrieve.tokens.flush.merged",
    "retrieve.tokens.flush.after",
    "retrieve.colbert.flush.before",
    "retrieve.colbert.flush.trained",
    "retrieve.colbert.write.before",
    "retrieve.colbert.write.after",
    "retrieve.colbert.flush.merged",
    "retrieve.colbert.flush.after",
    "retrieve.names.flush.before",
    "retrieve.names.write.before",
    "retrieve.names.write.after",
    "retrieve.names.flush.merged",
    "retrieve.names.flush.after",
    "retrieve.lucene.flush.language",
    # The store.
    "storage.add.before",
    "storage.add.after",
    "storage.remove.before",
    "storage.remove.after",
    "storage.commit.before",
    "storage.commit.after",
    "storage.recover.before",
    "storage.recover.after",
    "storage.copy.copied",
    "storage.copy.synced",
    # The file layer: durable_write, in the order of its steps.
    "storage.write.beside",
    "storage.write.synced",
    "storage.write.replaced",
)
"""Every point there is. A name not listed here cannot be armed, nor reached while another is."""

_armed: dict[str, Callable[[], None]] = {}


class Crash(BaseException):
    """A process's sudden death, played within it: no `except Exception` stops it."""


def reach(name: str) -> None:
    """Run what `name` is armed with, if it is."""
    if _armed:
        _known(name)
        action = _armed.get(name)
        if action is not None:
            action()


def arm(name: str, action: Callable[[], None]) -> None:
    """Have `reach(name)` call `action`. Raises ValueError for a name not in `POINTS`."""
    _known(name)
    _armed[name] = action


def disarm() -> None:
    """Back to where every point does nothing."""
    _armed.clear()


@contextmanager
def armed(name: str, action: Callable[[], None]) -> Iterator[None]:
    """`arm` for the length of a with block."""
    arm(name, action)
    try:
        yield
    finally:
        _armed.pop(name, None)


def crash() -> None:
    """An action: raise `Crash`."""
    raise Crash


def kill() -> None:
    """An action: SIGKILL to this process; nothing is flushed, closed or unlocked by Python."""
    os.kill(os.getpid(), signal.SIGKILL)


def _known(name: str) -> None:
    if name not in POINTS:
        raise ValueError(f"no failpoint is named {name!r}: add it to failpoints.POINTS")
