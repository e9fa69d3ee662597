"""Weighted postings of each language in immutable segments: how often each piece stands in which passage.

The writer of the part, and the reader that retrievers over it share: statistics of a language, and the best passages
for groups of weighted terms by one of `retrieve.scorers`. A commit adds a segment to each language it touches; many
small ones become one (`merge_from`), up to what a segment holds (`retrieve.postings`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import Bags, IndexDamaged, IntArray, Mask, PassageBatch
from xsearch.retrieve.accumulate import Accumulate, accumulate, compiled
from xsearch.retrieve.best import Best
from xsearch.retrieve.dense import merge_from
from xsearch.retrieve.numbers import next_number
from xsearch.retrieve.postings import ROWS, Postings, count_tokens, map_postings, merge_postings, serialised
from xsearch.retrieve.scorers import Groups, Scorer
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files, durable_write

MAX_SEGMENTS = 8
"""Segments of a language that are not yet large before a flush merges some."""
LARGE = ROWS // 2
"""Passages from which on a segment is left as it is."""
BUFFERED_TOKENS = 16 << 20
"""Pieces a writer holds (64 MB; some ten times that while they are sorted) before it makes segments of them."""
COMPILED_TOKENS = 4_000_000
"""Length of an index from which on compiled loops pay for being loaded (half a second)."""

Entry = dict[str, int]
"""A segment in the state: first and last passage number, passages, and the sum of their lengths in tokens."""


class ImpactWriter:
    """Appends the pieces of passages to the segments of `folder`.

    state: what `flush` last returned and the manifest committed, `{}` for a new index. high_water: the first passage
    number not yet given away. Segments that `state` does not name take no part.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._folder, self._files = folder, files
        self._next = high_water
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {})
        self._segments = {lang: list(entries) for lang, entries in languages.items()}
        self._batches: list[PassageBatch] = []
        self._buffered = 0

    def add(self, batch: PassageBatch) -> None:
        """Append the pieces of `batch`. Raises ValueError when numbers were given before or do not ascend, or when
        the batch has no pieces."""
        self._next = next_number(self._next, batch.numbers)
        if batch.pieces is None or len(batch.pieces) != len(batch):
            raise ValueError("every passage of a batch must come with its pieces")
        self._batches.append(PassageBatch(batch.numbers, batch.langs, (), (), None, batch.pieces))
        self._buffered += len(batch.pieces.tokens)
        if self._buffered >= BUFFERED_TOKENS:
            self._write_buffers()

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it.

        The state is JSON: "languages" (a list of segments each), "files" (paths relative to the folder). Raises
        `CannotWrite` when the disk refuses.
        """
        reach("retrieve.impact.flush.before")
        self._write_buffers()
        for lang, entries in self._segments.items():
            small = [entry["passages"] for entry in entries[_after_last_large(entries) :]]
            if len(small) > MAX_SEGMENTS:
                start = len(entries) - len(small) + merge_from(small)
                entries[start:] = self._merge(lang, entries[start:])
                reach("retrieve.impact.flush.merged")
        reach("retrieve.impact.flush.after")
        languages = {lang: list(entries) for lang, entries in sorted(self._segments.items())}
        return {
            "languages": languages,
            "files": sorted(segment_name(lang, entry) for lang, entries in languages.items() for entry in entries),
        }

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._batches.clear()

    def _write_buffers(self) -> None:
        batches, self._batches, self._buffered = self._batches, [], 0
        if not batches:
            return
        numbers = np.concatenate([batch.numbers for batch in batches])
        langs = np.concatenate([np.array(batch.langs) for batch in batches])
        pieces = _joined([batch.pieces for batch in batches if batch.pieces is not None])
        for lang in np.unique(langs).tolist():
            chosen = np.flatnonzero(langs == lang)
            for start in range(0, len(chosen), ROWS):
                rows = chosen[start : start + ROWS]
                own = _taken(pieces, rows)
                if len(own.tokens):
                    postings = count_tokens(numbers[rows], own.tokens, np.diff(own.starts))
                    self._segments.setdefault(lang, []).append(self._write(lang, postings))

    def _merge(self, lang: str, entries: Sequence[Entry]) -> list[Entry]:
        """Segments of about equal size, as few as hold the passages of `entries`, which each are less than large."""
        segments = [_open(self._folder, lang, entry) for entry in entries]
        merged: list[Entry] = []
        while segments:
            fitting = int(np.searchsorted(np.cumsum([len(s.numbers) for s in segments]), ROWS, side="right"))
            merged.append(self._write(lang, merge_postings(segments[:fitting])))
            segments = segments[fitting:]
        return merged

    def _write(self, lang: str, postings: Postings) -> Entry:
        entry = {
            "first": int(postings.numbers[0]),
            "last": int(postings.numbers[-1]),
            "passages": len(postings.numbers),
            "tokens": int(postings.lengths.sum(dtype=np.int64)),
        }
        self._files.make_folder(self._folder / lang)
        reach("retrieve.impact.write.before")
        durable_write(self._files, self._folder / segment_name(lang, entry), serialised(postings))
        reach("retrieve.impact.write.after")
        return entry


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a language's passages: how many, and the sum of their lengths in tokens. Dead ones count until compaction."""

    passages: int
    tokens: int


class Impact:
    """One snapshot of the part, safe to search from several threads; writes nothing. Raises `IndexDamaged` when a file
    is missing or does not fit the state."""

    def __init__(self, folder: Path, state: Mapping[str, Any]) -> None:
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {})
        self._segments = {lang: [_open(folder, lang, e) for e in entries] for lang, entries in languages.items()}
        self._statistics = {
            lang: Statistics(sum(e["passages"] for e in entries), sum(e["tokens"] for e in entries))
            for lang, entries in languages.items()
        }
        self._accumulate: Accumulate | None = None
        self._lock = threading.Lock()

    def languages(self) -> list[str]:
        """The languages that have passages here, sorted."""
        return sorted(self._segments)

    def segments(self, lang: str) -> Sequence[Postings]:
        """The postings of a language, in ascending passage number."""
        return self._segments.get(lang, ())

    def statistics(self, lang: str) -> Statistics:
        """Passages and tokens of a language, zeros where there are none."""
        return self._statistics.get(lang, Statistics(0, 0))

    def counts(self, lang: str, terms: NDArray[np.integer]) -> tuple[IntArray, IntArray]:
        """In how many passages of a language each term stands, and how often; int64 both."""
        passages = np.zeros(len(terms), dtype=np.int64)
        times = np.zeros(len(terms), dtype=np.int64)
        for segment in self._segments.get(lang, ()):
            held, weights = segment.counts(terms)
            passages += held
            times += weights
        return passages, times

    def best(self, lang: str, groups: Groups, scorer: Scorer, depth: int, allowed: Mask | None = None) -> Best:
        """The best `depth` passages of a language that score above 0, by score, then passage number. allowed: those
        that may be returned; they come whenever they match."""
        run = self._kernel()
        best = Best(np.zeros(0, np.int64), np.zeros(0, np.float32))
        for segment in self._segments.get(lang, ()):
            inside = None if allowed is None else allowed[segment.numbers]
            limit = float(best.scores[-1]) if len(best.scores) >= depth else 0.0
            try:
                scores = run(segment, groups, scorer, depth, limit, inside)
            except IndexError as error:
                raise IndexDamaged(f"the postings of '{lang}' are damaged: run `xsearch check --repair`") from error
            rows = np.flatnonzero(scores > 0 if inside is None else (scores > 0) & inside)
            found = Best.of(segment.numbers[rows], scores[rows].astype(np.float32), depth)
            best = Best.merge((best, found), depth) if len(best.scores) else found
        return best

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._segments = {}

    def _kernel(self) -> Accumulate:
        with self._lock:
            if self._accumulate is None:
                total = sum(statistics.tokens for statistics in self._statistics.values())
                self._accumulate = (compiled() if total >= COMPILED_TOKENS else None) or accumulate
            return self._accumulate


def segment_name(lang: str, entry: Entry) -> str:
    """Path of a segment, relative to the part's folder."""
    return f"{lang}/{entry['first']}-{entry['last']}.postings"


def _open(folder: Path, lang: str, entry: Entry) -> Postings:
    return map_postings(folder / segment_name(lang, entry), entry["first"], entry["passages"])


def _after_last_large(entries: Sequence[Entry]) -> int:
    large = [place for place, entry in enumerate(entries) if entry["passages"] >= LARGE]
    return large[-1] + 1 if large else 0


def _joined(bags: Sequence[Bags]) -> Bags:
    before = np.cumsum([0, *(len(bag.tokens) for bag in bags)])
    starts = [bag.starts[:-1] + start for bag, start in zip(bags, before, strict=False)]
    return Bags(np.concatenate([bag.tokens for bag in bags]), np.concatenate([*starts, before[-1:]]))


def _taken(bags: Bags, rows: IntArray) -> Bags:
    """The bags with these numbers."""
    sizes = bags.starts[rows + 1] - bags.starts[rows]
    starts = np.concatenate(([0], np.cumsum(sizes)))
    places = np.arange(starts[-1]) + np.repeat(bags.starts[rows] - starts[:-1], sizes)
    return Bags(bags.tokens[places], starts)
