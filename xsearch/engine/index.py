"""`Index`: what a program holds. Opens snapshots, searches them, hands out the one writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from xsearch.core import Document, Hit, IndexDamaged, Run, ScoredDoc, Topic, UsageError
from xsearch.encode import Runtime
from xsearch.engine.clock import command, utc_now
from xsearch.engine.encoder import encoder_name, encoder_record, load_encoders
from xsearch.engine.hits import make_hits
from xsearch.engine.recipe import Recipe, load_recipe
from xsearch.engine.rerank import Rerankers
from xsearch.engine.search import Found, SearchOptions, search
from xsearch.engine.snapshot import Snapshot
from xsearch.storage import DiskFiles, Files, Manifest, read_manifest

if TYPE_CHECKING:
    from xsearch.engine.writer import IndexWriter
    from xsearch.rank.rerank import Reranker


class Index:
    """An index in a folder, open for reading. Thread-safe; `refresh` moves to the newest commit.

    >>> index = xsearch.open(".xsearch")                                           # doctest: +SKIP
    >>> for hit in index.search("presidential elections in Iran", k=3):            # doctest: +SKIP
    ...     print(hit.rank, hit.lang, hit.id, hit.snippet)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        runtime: Runtime | None = None,
        files: Files | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.path = Path(path)
        self._runtime = runtime
        self.rerankers = Rerankers(runtime)
        self._files = files or DiskFiles()
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._snapshot = self._read()

    def _read(self) -> Snapshot:
        # A commit may remove a file between reading the manifest and opening the file: then read again.
        for _ in range(8):
            manifest = read_manifest(self.path)
            try:
                snapshot = Snapshot(self.path, manifest, self._runtime, self.rerankers)
                break
            except (FileNotFoundError, IndexDamaged):
                if read_manifest(self.path).commit == manifest.commit:
                    raise
        snapshot.check_analyzers()
        return snapshot

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the files; a search from now on raises `UsageError`. May be called again."""
        self._closed = True
        self._snapshot.close()

    @property
    def snapshot(self) -> Snapshot:
        """The committed state that searches see now. Raises `UsageError` once the index is closed."""
        if self._closed:
            raise UsageError(f"the index at {self.path} is closed: open it again")
        return self._snapshot

    @property
    def manifest(self) -> Manifest:
        """The manifest of that state."""
        return self.snapshot.manifest

    def __len__(self) -> int:
        return self.manifest.documents

    def refresh(self) -> bool:
        """See the newest commit. Returns whether there was a newer one."""
        with self._lock:
            if read_manifest(self.path).commit == self.manifest.commit:
                return False
            self._snapshot = self._read()
            return True

    def _follow(self) -> None:
        self.refresh()

    def writer(self, workers: int = 1) -> IndexWriter:
        """The index's writer: `with index.writer() as w: w.add(document)`. Raises `IndexLocked` while another
        one is open.

        workers: processes that prepare documents once there are many; a script that asks for more than one must be
        importable (``if __name__ == "__main__":``), as for multiprocessing at large.
        """
        from xsearch.engine.writer import IndexWriter

        read = partial(read_manifest, self.path)
        return IndexWriter(self.path, read, self._files, self._clock, self._follow, workers, self._runtime)

    def search(
        self,
        text: str,
        k: int = 10,
        *,
        lang: str | None = None,
        to: Sequence[str] | None = None,
        filter: str | None = None,
        retrievers: Sequence[str] | None = None,
        fusion: str | None = None,
        depth: int | None = None,
        balance: bool = False,
        rerank: str | Path | Reranker | None = None,
        rerank_depth: int | None = None,
        rerank_passages: int | None = None,
        rerank_budget: float | None = None,
        exact: bool = False,
        explain: bool = False,
        snippets: bool = True,
    ) -> list[Hit]:
        """The best `k` documents for `text`, whatever their language.

        lang: the query's language (identified when None). to: only documents in these languages. filter: an
        expression over metadata, e.g. ``year >= 2020 and lang in ["de", "fa"]``. balance: an equal share for every
        language found. rerank: a reranker's name or path, or one of your own (`xsearch.rank.rerank.Reranker`); it
        scores the best `rerank_depth` documents again, of each the `rerank_passages` found first, for at most
        `rerank_budget` seconds. exact: have `dense` and `colbert` score every passage, however many there are.
        explain: fill `Hit.explain`, `Hit.matches`, `Hit.met`, `Hit.rerank`. snippets: find the sentence of each passage
        to show; without, `Hit.snippet` is empty, and a short question takes two thirds of the time.
        Raises `UsageError`, `UnknownLanguage`, `FilterError`.
        """
        options = SearchOptions(
            k,
            lang,
            to,
            filter,
            retrievers,
            fusion,
            depth,
            balance,
            rerank,
            rerank_depth,
            rerank_passages,
            rerank_budget,
            exact,
        )
        snapshot = self.snapshot
        return make_hits(snapshot, search(snapshot, text, options), explain, snippets)

    def find(self, text: str, options: SearchOptions | None = None) -> tuple[Snapshot, Found]:
        """A search before its hits are made, with the snapshot it ran on."""
        snapshot = self.snapshot
        return snapshot, search(snapshot, text, options or SearchOptions())

    async def asearch(self, text: str, k: int = 10, **options: Any) -> list[Hit]:
        """`search` for asyncio: in a thread, so that the event loop goes on."""
        import asyncio

        return await asyncio.to_thread(self.search, text, k, **options)

    def search_many(
        self,
        queries: Iterable[Topic | str],
        k: int = 1000,
        *,
        tag: str = "xsearch",
        threads: int | None = None,
        workers: int = 1,
        on_topic: Callable[[str, list[ScoredDoc]], None] | None = None,
        **options: Any,
    ) -> Run:
        """Run many queries, `k` documents each, over all cores. All rows are held; `search_each` holds a few.

        on_topic: called with each topic's rows in the order of `queries`, as they are done. The rest as there.
        """
        rows: list[ScoredDoc] = []
        for topic, found in self.search_each(queries, k, threads=threads, workers=workers, **options):
            rows.extend(found)
            if on_topic:
                on_topic(topic.id, found)
        return Run.of(rows, tag)

    def search_each(
        self,
        queries: Iterable[Topic | str],
        k: int = 1000,
        *,
        threads: int | None = None,
        workers: int = 1,
        **options: Any,
    ) -> Iterator[tuple[Topic, list[ScoredDoc]]]:
        """The topics and their documents, best first, in the order of `queries`, as they are done.

        queries: topics, or texts numbered from "1". options: as for `search`; a topic's own language holds where
        `lang` is not given. threads: of this process, as many as there are cores where None. workers: processes, for
        thousands of topics; a script that asks for more than one must be importable (``if __name__ ==
        "__main__":``), as for multiprocessing at large.
        """
        from xsearch.engine.batch import Batch, in_processes, in_threads

        topics = [q if isinstance(q, Topic) else Topic(str(i), q) for i, q in enumerate(queries, start=1)]
        batch, snapshot = Batch(k, options), self.snapshot
        if workers > 1:
            return in_processes(self.path, snapshot.manifest, topics, batch, workers, self._runtime)
        return in_threads(snapshot, topics, batch, threads)

    def document(self, id: str) -> Document | None:
        """A document as it was added, or None."""
        found = self.snapshot.store.document(id)
        return Document(found.id, found.text, found.title, found.lang, found.metadata) if found else None


def open_index(path: str | Path = ".xsearch", runtime: Runtime | None = None) -> Index:
    """Open an index for reading. runtime: how neural encoders are run. Raises `BadInput` where there is none,
    `IndexDamaged`, `EncoderMismatch`."""
    return Index(path, runtime=runtime)


def create_index(
    path: str | Path = ".xsearch",
    recipe: str | Path | Recipe = "hybrid",
    encoder: str | Path | None = None,
    *,
    runtime: Runtime | None = None,
    files: Files | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Index:
    """Make an empty index in a new or empty folder and open it.

    recipe: the name of one that ships (`hybrid`, `bm25`, `dense`), a TOML file, or a `Recipe`. encoder: overrides
    the recipe's. runtime: how neural encoders are run. Raises `BadInput` when something is there already.
    """
    folder = Path(path)
    from xsearch.engine.layout import new_index

    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    if encoder is not None:
        chosen = msgspec.structs.replace(chosen, encoder=encoder_name(encoder))
    made = load_encoders(chosen, runtime)
    now = clock().isoformat(timespec="seconds")
    new_index(files or DiskFiles(), folder, chosen, encoder_record(made), command(), now)
    return Index(folder, runtime=runtime, files=files, clock=clock)
