"""Preparing and encoding batches: in this process for a few documents, in processes of their own for many.

Identification and analysis are Python and hold its lock, so more threads would not use more cores.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import NamedTuple, Protocol

from xsearch.core import Document
from xsearch.engine.encoder import Encoded, Encoders
from xsearch.engine.prepare import Prepared, prepare
from xsearch.engine.resume import EncodedBatches
from xsearch.storage import NewDocument, NewPassage
from xsearch.storage.failpoints import reach

YOUNG_OBJECTS = 100_000
"""Objects that a process makes before it looks for garbage among them."""

Batch = tuple[Sequence[Document], Sequence[str | None]]
"""Documents, and the file each came from."""
Ready = tuple[Prepared, Encoded]


class Preparation(Protocol):
    """Where batches are prepared and encoded. Futures come in the order of the calls, whatever finishes first."""

    in_flight: int

    def submit(self, batch: Batch) -> Future[Ready]:
        """Begin with a batch."""

    def close(self) -> None:
        """Stop; batches not begun are dropped."""


class InThisProcess:
    """Prepares in the caller's thread and encodes in one other, which mostly computes outside Python's lock."""

    in_flight = 3

    def __init__(self, max_words: int, encoders: Encoders, kept: EncodedBatches | None = None) -> None:
        self._max_words, self._encoders, self._kept = max_words, encoders, kept
        self._thread = ThreadPoolExecutor(1, "xsearch-encode")

    def submit(self, batch: Batch) -> Future[Ready]:
        """Prepare `batch` now; its arrays come later."""
        prepared = prepare(*batch, self._max_words)
        return self._thread.submit(lambda: (prepared, encode(self._encoders, prepared, self._kept)))

    def close(self) -> None:
        """Wait for the batch at work."""
        self._thread.shutdown(wait=True, cancel_futures=True)


class InProcesses:
    """Prepares and encodes in `count` processes; they start when the first batch comes. keep_texts: for somebody who
    encodes what the processes cannot."""

    def __init__(self, count: int, max_words: int, load: Callable[[], Encoders], keep_texts: bool = False) -> None:
        self.in_flight = 2 * count + 1
        self._pool: Executor = ProcessPoolExecutor(
            # Spawned, not forked: this process has threads.
            count, mp_context=get_context("spawn"), initializer=_start, initargs=(max_words, load, keep_texts)
        )  # fmt: skip

    def submit(self, batch: Batch) -> Future[Ready]:
        """Hand `batch` to a process. A process that starts now inherits that Ctrl-C is not for it."""
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            worked = self._pool.submit(_work, batch)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        ready: Future[Ready] = Future()

        def finish(worked: Future[tuple[Prepared, Encoded, list[_Cut]]]) -> None:
            try:
                ready.set_result(_together(batch, *worked.result()))
            except BaseException as error:
                ready.set_exception(error)

        worked.add_done_callback(finish)
        return ready

    def close(self) -> None:
        """Wait for the batches at work."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class ThenHere:
    """Prepares elsewhere, as `inner` does, then encodes in one thread of this process with the encoders that drive a
    device."""

    def __init__(self, inner: InProcesses, encoders: Encoders, kept: EncodedBatches) -> None:
        self.in_flight = inner.in_flight
        self._inner, self._encoders, self._kept = inner, encoders, kept
        self._thread = ThreadPoolExecutor(1, "xsearch-encode")

    def submit(self, batch: Batch) -> Future[Ready]:
        """Begin with `batch` elsewhere; it is finished here in its turn."""
        begun = self._inner.submit(batch)
        return self._thread.submit(lambda: self._finish(*begun.result()))

    def close(self) -> None:
        """Wait for the batches at work."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._inner.close()

    def _finish(self, prepared: Prepared, encoded: Encoded) -> Ready:
        added = encode(self._encoders, prepared, self._kept)
        return prepared, _joined(added, encoded)


def encode(encoders: Encoders, prepared: Prepared, kept: EncodedBatches | None = None) -> Encoded:
    """What the parts of an index are made of beside terms. kept: where neural encoders' work outlives an accident."""
    reach("add.encode")
    if kept is None:
        return encoders.encode(prepared.texts, prepared.groups)
    added = kept.encode(encoders, prepared.texts, prepared.groups)
    others = encoders.static().encode(prepared.texts, prepared.groups)
    return _joined(added, others)


def _joined(neural: Encoded, static: Encoded) -> Encoded:
    """What neural encoders made of a batch, with what the others made of it."""
    windows = static.windows if neural.windows is None else neural.windows
    return replace(neural, windows=windows, pieces=static.pieces, forms=static.forms, expected=static.expected)


class _Worker:
    """What a worker process holds."""

    max_words: int
    keep_texts: bool
    encoders: Encoders


def _start(max_words: int, load: Callable[[], Encoders], keep_texts: bool) -> None:
    # Ctrl-C is for the parent, which drops what is under way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Worker.max_words, _Worker.keep_texts = max_words, keep_texts
    _Worker.encoders = load()
    # A vocabulary of some hundred thousand strings is no garbage and need not be gone through again and again; of what
    # a batch leaves behind next to nothing is.
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 50, 50)


def _work(batch: Batch) -> tuple[Prepared, Encoded, list[_Cut]]:
    prepared = prepare(*batch, _Worker.max_words)
    encoded = encode(_Worker.encoders, prepared)
    if not _Worker.keep_texts:
        # The texts have done their service; they would only travel back.
        prepared.texts.clear()
    # So would documents that are as they came.
    cut = [
        _Cut(None if new.document is came else new.document, new.spans)
        for new, came in zip(prepared.documents, batch[0], strict=True)
    ]
    return replace(prepared, documents=[]), encoded, cut


class _Cut(NamedTuple):
    """What a process found out about a document; the document itself where it is not as it came."""

    changed: Document | None
    spans: Sequence[NewPassage]


def _together(batch: Batch, prepared: Prepared, encoded: Encoded, cut: Sequence[_Cut]) -> Ready:
    documents = [
        NewDocument(own.changed or document, own.spans, source)
        for document, source, own in zip(*batch, cut, strict=True)
    ]
    return replace(prepared, documents=documents), encoded
