"""Many topics over all cores: answers in the topics' order, few of them held at a time.

Threads share one snapshot and serve a few hundred topics; what of a search is Python holds Python's lock, so that
thousands of topics go to processes, each with a snapshot of its own.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from xsearch.core import ScoredDoc, Topic, WorkerDied
from xsearch.encode import Runtime
from xsearch.engine.search import SearchOptions, search
from xsearch.engine.snapshot import Snapshot
from xsearch.storage import Manifest

Answer = tuple[Topic, list[ScoredDoc]]
"""A topic and its documents, best first."""
Chunk = Sequence[Topic]
Columns = tuple[Topic, list[str], list[float]]
"""An answer as it travels between processes, in a thirtieth of the time that rows take: topic, document ids, scores."""

CHUNK = 8
"""Topics handed to a process at once."""
AHEAD = 3
"""Chunks under way or waiting to be taken, for each thread or process: bounds the memory."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Batch:
    """What all topics are asked for. k: documents each. options: those of `SearchOptions` beyond k; a topic's own
    language holds where they name none."""

    k: int
    options: Mapping[str, Any]

    def answer(self, snapshot: Snapshot, topics: Chunk) -> list[Columns]:
        """The answers to `topics`, one after the other."""
        return [self._columns(snapshot, topic) for topic in topics]

    def _columns(self, snapshot: Snapshot, topic: Topic) -> Columns:
        settings = {**self.options, "lang": self.options.get("lang") or topic.lang}
        found = search(snapshot, topic.text, SearchOptions(self.k, **settings))
        return topic, snapshot.store.ids(found.documents), found.scores.tolist()


def in_threads(
    snapshot: Snapshot, topics: Sequence[Topic], batch: Batch, threads: int | None = None
) -> Iterator[Answer]:
    """Answers from `threads` threads of this process (as many as there are cores where None)."""
    count = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(count, "xsearch-query") as pool:
        yield from _in_order(lambda chunk: pool.submit(batch.answer, snapshot, chunk), _chunks(topics, 1), count)


def in_processes(
    folder: Path,
    manifest: Manifest,
    topics: Sequence[Topic],
    batch: Batch,
    processes: int,
    runtime: Runtime | None = None,
) -> Iterator[Answer]:
    """Answers from `processes` processes, each of which opens the index in `folder` as `manifest` has it. runtime: how
    each runs neural encoders. Raises `WorkerDied` when one ends before its work is done."""
    # Spawned, not forked: this process has threads.
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_start, initargs=(folder, manifest, batch, runtime)
    )

    def submit(chunk: Chunk) -> Future[list[Columns]]:
        # A process that starts now inherits that Ctrl-C is not for it, and how many threads it may use.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _one_thread_each():
                return pool.submit(_work, chunk)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    with pool:
        try:
            yield from _in_order(submit, _chunks(topics, CHUNK), processes)
        except BrokenExecutor as error:
            raise WorkerDied(
                "a process that searched ended early (out of memory?): ask again with fewer workers; "
                "a run goes on where it was"
            ) from error


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have processes that start meanwhile compute in one thread: as many threads as cores in as many processes as
    cores mostly wait for each other. Libraries read this when they are loaded; what the user has set is left alone."""
    names = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def _chunks(topics: Sequence[Topic], size: int) -> Iterator[Chunk]:
    return (topics[start : start + size] for start in range(0, len(topics), size))


def _in_order(
    submit: Callable[[Chunk], Future[list[Columns]]], chunks: Iterable[Chunk], count: int
) -> Iterator[Answer]:
    """Answers in the order of `chunks`, with at most `AHEAD` chunks a worker begun and not yet taken."""
    pending: deque[Future[list[Columns]]] = deque()
    try:
        for chunk in chunks:
            if len(pending) >= AHEAD * count:
                yield from _answers(pending.popleft().result())
            pending.append(submit(chunk))
        while pending:
            yield from _answers(pending.popleft().result())
    finally:
        # Whoever stops taking answers need not wait for those not begun.
        for future in pending:
            future.cancel()


def _answers(found: list[Columns]) -> Iterator[Answer]:
    for topic, ids, scores in found:
        yield topic, [ScoredDoc(topic.id, i, s) for i, s in zip(ids, scores, strict=True)]


class _Worker:
    """What a worker process holds."""

    snapshot: Snapshot
    batch: Batch


def _start(folder: Path, manifest: Manifest, batch: Batch, runtime: Runtime | None) -> None:
    # Ctrl-C is for the parent, which drops what is under way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Worker.snapshot, _Worker.batch = Snapshot(folder, manifest, runtime), batch


def _work(chunk: Chunk) -> list[Columns]:
    return _Worker.batch.answer(_Worker.snapshot, chunk)
