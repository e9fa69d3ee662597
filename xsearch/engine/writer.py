"""Writing: documents in, one commit out. Nothing is visible before the manifest is replaced (D2)."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from xsearch.core import Document, UsageError, WorkerDied
from xsearch.encode import Runtime
from xsearch.engine.clock import command
from xsearch.engine.encoder import index_encoders, static_encoders
from xsearch.engine.generation import GenerationWriter
from xsearch.engine.layout import sweep_files, sweep_generations
from xsearch.engine.parts import TEXTS
from xsearch.engine.recipe import parse_stored
from xsearch.engine.resume import EncodedBatches
from xsearch.engine.workers import InProcesses, InThisProcess, Preparation, Ready, ThenHere
from xsearch.storage import Files, Manifest, SourceState, write_lock, write_manifest
from xsearch.storage.failpoints import reach

BATCH = 1024
"""Documents prepared at once: what is new in them is analyzed and encoded together."""
BATCH_CHARACTERS = 1 << 20
"""Text that makes a batch of fewer documents: several batches are in memory."""
MANY = 4096
"""Documents from which on processes of their own pay for their start (about a second)."""
MANY_BYTES = 8 << 20
"""A file of so many bytes has that much text to prepare, however many documents it is."""


class IndexWriter:
    """The one writer of an index: `add`, `delete`, then `commit`, or leave the `with` block.

    Documents are prepared and encoded in batches (`workers` > 1: in processes of their own, once there are many) and
    stored in a thread; batches keep their order, so the same documents give the same index. An error in a background
    step is raised by the next call, and the writer is closed. Leaving the block by an exception commits nothing.
    Raises `IndexLocked` when another writer is at work.
    """

    def __init__(
        self,
        root: Path,
        read: Callable[[], Manifest],
        files: Files,
        clock: Callable[[], datetime],
        committed: Callable[[], None] = lambda: None,
        workers: int = 1,
        runtime: Runtime | None = None,
    ) -> None:
        self.root, self.files, self.clock, self._committed = root, files, clock, committed
        with contextlib.ExitStack() as held:
            held.enter_context(write_lock(root, command(), _iso(clock)))
            # Only under the lock is the manifest the latest there will be.
            self.manifest = read()
            sweep_generations(files, root, self.manifest)
            self.recipe = parse_stored(self.manifest.recipe)
            self.encoders = index_encoders(self.manifest, root, runtime)
            self.generation = GenerationWriter(root, self.manifest, files)
            held.callback(self.generation.close)
            self._store_thread = ThreadPoolExecutor(1, "xsearch-store")
            held.callback(self._store_thread.shutdown, wait=True, cancel_futures=True)
            self._kept = EncodedBatches(root, files) if self.encoders.neural().by_retriever() else None
            words = self.recipe.passages.max_words
            self._preparation: Preparation = InThisProcess(words, self.encoders, self._kept)
            held.callback(lambda: self._preparation.close())
            self._held = held.pop_all()
        self._workers = workers
        self._submitted = 0
        self._many = False
        self._buffer: list[Document] = []
        self._characters = 0
        self._sources: list[str | None] = []
        self._pending: deque[Future[None]] = deque()
        self._changed = False
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._open:
                self.commit()
                if self._kept and self._submitted:
                    self._kept.clear()
        finally:
            self.close()

    def add(self, document: Document, source: str | None = None) -> None:
        """Add a document, or replace the one of the same id. `source`: the file it was read from. Raises `UsageError`
        for anything else than a `Document`."""
        self._check_open()
        if not isinstance(document, Document):
            raise UsageError(f"a writer takes xsearch.Document(id, text), not {type(document).__name__}")
        self._changed = True
        self._buffer.append(document)
        self._sources.append(source)
        self._characters += len(document.text)
        if len(self._buffer) >= BATCH or self._characters >= BATCH_CHARACTERS:
            self._submit()

    def expect(self, size: int) -> None:
        """Be told of `size` bytes of documents to come: many are not waited for before processes are started."""
        if size >= MANY_BYTES:
            self._many = True

    def delete(self, ids: Sequence[str]) -> list[str]:
        """Remove documents by id. Returns the ids that the index does not hold."""
        if isinstance(ids, str):
            raise UsageError(f"ids to delete come in a list: [{ids!r}]")
        self._drain()
        missing = self.generation.delete(ids)
        self._changed |= len(missing) < len(set(ids))
        return missing

    def set_source(self, path: str, state: SourceState) -> None:
        """Remember what a file looked like when it was read; takes effect with the documents added before."""
        self._check_open()
        self._changed = True
        store, commit = self.generation.store, self.generation.commit_number
        # Behind the batches at work, without waiting for them: a folder of small files must not go one by one.
        self._pending.append(self._store_thread.submit(store.set_source, path, state, commit))

    def remove_source(self, path: str) -> list[str]:
        """Forget a file and remove the documents that came from it; returns their ids."""
        ids = self.ids_of_source(path)
        self._changed = True
        self.generation.delete(ids)
        self.generation.store.remove_source(path, self.generation.commit_number)
        return ids

    def ids_of_source(self, path: str) -> list[str]:
        """Ids of the documents that came from a file."""
        self._drain()
        return self.generation.store.ids_of_source(path)

    def former_sources(self, ids: Sequence[str]) -> set[str]:
        """Files that once gave documents of these ids."""
        self._drain()
        return self.generation.store.former_sources(ids)

    def sources(self) -> dict[str, SourceState]:
        """What the index knows of the files it was made from."""
        self._drain()
        return self.generation.store.sources()

    def documented_sources(self) -> set[str]:
        """The files that documents came from, also those of a run that did not get to the file's end."""
        self._drain()
        return self.generation.store.documented_sources()

    def commit(self) -> Manifest:
        """Make everything since the last commit durable and visible, at once or not at all. Where nothing changed,
        the last commit stays."""
        self._drain()
        if not self._changed:
            return self.manifest
        manifest = self.generation.flush(self.manifest.created, _iso(self.clock))
        write_manifest(self.files, self.root, manifest)
        previous, self.manifest = self.manifest, manifest
        self.generation.advance(manifest)
        self._changed = False
        sweep_files(self.files, self.root, (previous, manifest))
        self._committed()
        return manifest

    def close(self) -> None:
        """Stop, dropping what was not committed. May be called again."""
        if self._open:
            self._open = False
            self._held.close()

    def _submit(self) -> None:
        batch, sources = self._buffer, self._sources
        self._buffer, self._sources, self._characters = [], [], 0
        try:
            reach("add.prepare")
            self._submitted += len(batch)
            self._many |= self._submitted >= MANY
            if self._workers > 1 and self._many and isinstance(self._preparation, InThisProcess):
                self._to_processes()
            ready = self._preparation.submit((batch, sources))
            self._pending.append(self._store_thread.submit(self._store, ready))
            self._wait(self._preparation.in_flight - 1)
        except BaseException:
            # What came before may be half stored: only the last commit is sure.
            self.close()
            raise

    def _to_processes(self) -> None:
        self._wait(0)
        self._preparation.close()
        load = partial(static_encoders, self.manifest, self.root)
        kept = self._kept
        keep_texts = kept is not None or not TEXTS.isdisjoint(self.generation.parts)
        processes = InProcesses(self._workers, self.recipe.passages.max_words, load, keep_texts)
        self._preparation = ThenHere(processes, self.encoders.neural(), kept) if kept else processes

    def _store(self, ready: Future[Ready]) -> None:
        self.generation.add(*ready.result())

    def _drain(self) -> None:
        self._check_open()
        if self._buffer:
            self._submit()
        try:
            self._wait(0)
        except BaseException:
            self.close()
            raise

    def _wait(self, left: int) -> None:
        try:
            while len(self._pending) > left:
                self._pending.popleft().result()
        except BrokenExecutor as error:
            raise WorkerDied(
                "a process that prepared documents ended, perhaps for lack of memory: run the command again; "
                "what was committed before is unharmed"
            ) from error

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("this writer is closed: ask the index for another")


def _iso(clock: Callable[[], datetime]) -> str:
    return clock().isoformat(timespec="seconds")
