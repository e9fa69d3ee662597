"""BM25 by tantivy: one index per language, so that document frequencies and lengths are each language's own.

tantivy's own index folder is a working place: it removes merged segments as soon as it likes and moves its
`meta.json` on before our manifest has moved. Here its segment files are therefore kept as what they are, immutable
files, and what a commit consists of (tantivy's `meta.json`) is part of the manifest's state:

    <folder>/<lang>/<segment id>.{term,idx,pos,fieldnorm,fast,store}     named by a state, never changed
    <folder>/writing-<random>/<lang>/                                    a writer at work; nobody else's business

Writer and reader both open a *view*: a folder of links to the segment files beside a `meta.json` from the state.
A writer moves new segment files out of its view when it flushes; a reader's view lies in the system's temporary
folder and only while the index is opened. So a reader sees exactly its snapshot and writes nothing, and what a
crashed writer left is gone with the next one's fresh view.

Scores are tantivy's, with k1 = 1.2 and b = 0.75 (Robertson and Zaragoza 2009, equation 3.15, times k1 + 1):

    score(q, d) = Σ_t idf(t) · tf · (k1 + 1) / (tf + k1 · (1 - b + b · dl / avgdl))
    idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))

with dl rounded down to one of 256 lengths (exact up to 40), and N, df, avgdl of the passage's language.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tantivy

from xsearch.core import FloatArray, IntArray, Mask, PassageBatch, Query, Ranking
from xsearch.retrieve.clauses import asks, idf_sum, tantivy_query
from xsearch.retrieve.numbers import next_number
from xsearch.retrieve.views import (
    damage,
    discard,
    language_files,
    make_view,
    memory_folder,
    open_index,
    schema,
    segment_files,
    tantivy_errors,
)
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files

OPEN_WRITERS = 24
"""Languages written to at once; each open tantivy writer holds half a dozen threads and a few MB, and each one put to
rest leaves a segment that is merged later."""
PENDING_CHARACTERS = 1 << 20
"""Text of a language held back until there is so much of it: a batch may touch more languages than can be open,
and putting one writer to rest for another costs some 50 ms."""
HEAP_BYTES = 64 << 20
"""Postings a writer collects before it makes a segment of them; memory is taken as it fills."""
SPARE_HITS = 32
"""Hits fetched beyond those wanted, to see where a tie at the cut-off ends."""
LISTED_PASSAGES = 2000
"""Up to so many allowed passages are handed to tantivy as a set of terms (about 5 µs each, exact at once)."""


class BM25Writer:
    """Appends passages to the language indexes of `folder`.

    state: what `flush` last returned and the manifest committed, `{}` for a new index. high_water: the first
    passage number not yet given away. Whatever a crashed writer added beyond `state` takes no part any more.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._folder, self._files = folder, files
        self._state = dict(state)
        self._next = high_water
        self._pending: dict[str, Pending] = {}
        self._open: OrderedDict[str, tantivy.IndexWriter] = OrderedDict()
        self._touched: set[str] = set()
        for left in folder.glob("writing-*"):
            discard(left)
        self._scratch = folder / f"writing-{os.urandom(4).hex()}"

    def add(self, batch: PassageBatch) -> None:
        """Append passages, visible to no reader before `flush` and a commit of its state.

        Raises ValueError when a number was given before or numbers do not ascend, `CannotWrite` when the disk
        refuses.
        """
        self._next = next_number(self._next, batch.numbers)
        self.append(zip(batch.numbers.tolist(), batch.langs, batch.terms, batch.title_terms, strict=True))

    def append(self, rows: Iterable[tuple[int, str, str, str]]) -> None:
        """Append passage numbers with language, body and title, whatever their order: a passage may be in the
        indexes of several languages."""
        for number, lang, body, title in rows:
            pending = self._pending.setdefault(lang, Pending())
            pending.passages.append((number, body, title))
            pending.characters += len(body) + len(title)
        for lang in sorted(self._pending):
            if self._pending[lang].characters >= PENDING_CHARACTERS:
                self._hand_over(lang)

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it.

        The state is JSON: "tantivy" (settings and schema), "languages" (segments and operation count of each, the
        rest of tantivy's `meta.json`), "files" (paths relative to the folder). Raises `CannotWrite`.
        """
        reach("retrieve.bm25.flush.before")
        state = self._state
        touched = sorted(self._touched | set(self._pending))
        # All first, then several at rest at a time: tantivy works in threads of its own meanwhile.
        for lang in touched:
            self._hand_over(lang)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(self._settle, touched))
        for lang in touched:
            state = self._publish(lang, state)
            reach("retrieve.bm25.flush.language")
        self._state = state
        self._touched.clear()
        reach("retrieve.bm25.flush.after")
        return state

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        while self._open:
            _, writer = self._open.popitem()
            with contextlib.suppress(ValueError):
                writer.rollback()
                writer.wait_merging_threads()
        self._pending.clear()
        self._touched.clear()
        # Never named by any state, so nothing durable is lost; links go, what they point to stays.
        discard(self._scratch)

    def _hand_over(self, lang: str) -> None:
        """Give a language's pending passages to its tantivy writer."""
        pending = self._pending.pop(lang, None)
        if pending is None:
            return
        writer = self._writer(lang)
        with tantivy_errors(self._scratch / lang):
            for number, body, title in pending.passages:
                document = tantivy.Document()
                document.add_unsigned("pk", number)
                document.add_text("body", body)
                if title:
                    document.add_text("title", title)
                writer.add_document(document)

    def _writer(self, lang: str) -> tantivy.IndexWriter:
        if lang in self._open:
            self._open.move_to_end(lang)
            return self._open[lang]
        if len(self._open) >= OPEN_WRITERS:
            self._settle(next(iter(self._open)))
        view = self._scratch / lang
        with tantivy_errors(view):
            if lang in self._touched:
                index = open_index(view)
            elif lang in self._state.get("languages", {}):
                index = make_view(view, self._folder, self._state, lang)
            else:
                view.mkdir(parents=True)
                index = open_index(view, schema())
            self._touched.add(lang)
            self._open[lang] = index.writer(heap_size=HEAP_BYTES, num_threads=1)
        return self._open[lang]

    def _settle(self, lang: str) -> None:
        """Bring a language's view to rest: committed, merges done, no thread at work."""
        writer = self._open.pop(lang, None)
        if writer is not None:
            with tantivy_errors(self._scratch / lang):
                writer.commit()
                writer.wait_merging_threads()

    def _publish(self, lang: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """Move a view's new segment files to where readers find them; the state with them in it."""
        view, target = self._scratch / lang, self._folder / lang
        self._files.make_folder(target)
        meta = json.loads((view / "meta.json").read_text(encoding="utf-8"))
        held = set(language_files(state, lang))
        names = segment_files(view, meta)
        for name in names:
            if f"{lang}/{name}" not in held:
                self._files.sync(view / name)
                self._files.replace(view / name, target / name)
        self._files.sync_folder(target)
        discard(view)
        kept = [path for path in state.get("files", ()) if path not in held]
        layout = {key: value for key, value in meta.items() if key not in ("segments", "opstamp")}
        languages = dict(state.get("languages", {}))
        languages[lang] = {"segments": meta["segments"], "opstamp": meta["opstamp"]}
        return {
            "tantivy": layout,
            "languages": dict(sorted(languages.items())),
            "files": sorted(kept + [f"{lang}/{name}" for name in names]),
        }


@dataclass(slots=True)
class Pending:
    """Passages of a language not yet handed to tantivy: number, body, title."""

    passages: list[tuple[int, str, str]] = field(default_factory=list)
    characters: int = 0


class BM25:
    """One snapshot of a BM25 index, safe to search from several threads; writes nothing in `folder`.

    Raises `IndexDamaged` when a segment is missing or cannot be read.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any]) -> None:
        self._schema = schema()
        self._searchers = open_languages(folder, state)

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language, by score, then passage number.

        query: `analyzed` holds the clauses for each language; a language it lacks is not searched, nor one outside
        `langs`. allowed: passages that may be returned; they come whenever they match. The ranking's background is
        (0, Σ idf of the query's distinct wanted terms): what no match scores, and about what a passage of average
        length scores that has each term once; none for a language whose passages have none of the terms.
        """
        passages, scores = [], []
        background: dict[str, tuple[float, float]] = {}
        among = Among.of(self._schema, allowed)
        for lang, searcher in self._searchers.items():
            if langs is not None and lang not in langs:
                continue
            clauses = query.analyzed.get(lang, ())
            if not asks(clauses):
                continue
            worth, is_known = idf_sum(searcher, clauses)
            # Of a question's words most are in one language's index: where none is, nothing needs to be searched.
            if not is_known:
                continue
            background[lang] = (0.0, worth)
            if (wanted := tantivy_query(self._schema, clauses)) is None:
                continue
            found = search_language(searcher, wanted, depth, among)
            passages.append(found[0])
            scores.append(found[1])
        if not passages:
            return Ranking.of([], [], background)
        return Ranking.of(np.concatenate(passages), np.concatenate(scores), background)

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1 for a passage in the query's language, else 0; scripts of one language (`sr`, `sr-Latn`) are the same."""
        return float(query_lang.split("-")[0] == passage_lang.split("-")[0])

    def languages(self) -> list[str]:
        """The languages that have an index, sorted."""
        return sorted(self._searchers)

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._searchers = {}


def open_languages(folder: Path, state: Mapping[str, Any]) -> dict[str, tantivy.Searcher]:
    """A searcher of each language's index, as `state` has them. Raises `IndexDamaged`."""
    searchers: dict[str, tantivy.Searcher] = {}
    views = Path(tempfile.mkdtemp(prefix="xsearch-bm25-", dir=memory_folder()))
    try:
        for lang in state.get("languages", {}):
            with damage(folder / lang):
                # The searcher holds every file open: then the links have done their work.
                searchers[lang] = make_view(views / lang, folder, state, lang).searcher()
    finally:
        discard(views)
    return searchers


@dataclass(frozen=True, slots=True, eq=False)
class Among:
    """What a mask means to tantivy. share: of all passages, those allowed. listed: when few are, a query that
    matches just them and adds 0 to a score."""

    mask: Mask | None
    share: float = 1.0
    listed: tantivy.Query | None = None

    @staticmethod
    def of(schema: tantivy.Schema, allowed: Mask | None) -> Among:
        """Of a mask, or None for no restriction."""
        if allowed is None:
            return Among(None)
        count = int(np.count_nonzero(allowed))
        if count > LISTED_PASSAGES:
            return Among(allowed, count / len(allowed))
        numbers = tantivy.Query.term_set_query(schema, "pk", np.flatnonzero(allowed).tolist())
        return Among(allowed, 1.0, tantivy.Query.const_score_query(numbers, 0.0))


def search_language(
    searcher: tantivy.Searcher, query: tantivy.Query, depth: int, among: Among
) -> tuple[IntArray, FloatArray]:
    """The best `depth` allowed passages of one index and their scores, best first.

    Fetches until `depth` allowed hits lie strictly above the last one fetched, or none are left: tantivy breaks
    ties by where segments lie, we by passage number, so its limit may not cut through a tie.
    """
    if among.listed is not None:
        must = tantivy.Occur.Must
        query = tantivy.Query.boolean_query([(must, query), (must, among.listed)])
    most = max(1, int(searcher.num_docs))
    limit = min(most, int(depth / among.share) + SPARE_HITS)
    while True:
        hits = searcher.search(query, limit=limit, count=False).hits
        numbers = searcher.fast_field_values("pk", [address for _, address in hits])
        passages = np.array(numbers, dtype=np.int64)
        scores = np.array([score for score, _ in hits], dtype=np.float32)
        lowest = scores[-1] if len(hits) == limit < most else -np.inf
        if among.mask is not None:
            inside = among.mask[passages]
            passages, scores = passages[inside], scores[inside]
        if lowest == -np.inf or (len(scores) >= depth and scores[depth - 1] > lowest):
            order = np.lexsort((passages, -scores))[:depth]
            return passages[order], scores[order]
        limit = min(most, limit * 4)
