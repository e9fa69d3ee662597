"""Weighted postings of each language in immutable segments: how often each piece stands in which passage, or what a
learned sparse encoder says each term weighs there.

The writer of the part, and the reader that retrievers over it share: statistics of a language, and the best passages
for groups of weighted terms by one of `retrieve.scorers`. A commit adds a segment to each language it touches; many
small ones become one (`merge_from`), up to what a segment holds (`retrieve.postings`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged, IntArray, Mask, PassageBatch
from xsearch.retrieve.accumulate import NUMPY, Kernel, compiled
from xsearch.retrieve.best import Best, Scored
from xsearch.retrieve.dense import merge_from
from xsearch.retrieve.numbers import next_number
from xsearch.retrieve.postings import (
    ROWS,
    Postings,
    count_tokens,
    map_postings,
    merge_postings,
    serialised,
    weigh_terms,
)
from xsearch.retrieve.scorers import Float64Array, Groups, LanguageGroups, Scorer
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files, durable_write

if TYPE_CHECKING:
    from xsearch.retrieve.segments_numba import Together

MAX_SEGMENTS = 4
"""Segments of a language that are not yet large before a flush merges some."""
LARGE = ROWS // 2
"""Passages from which on a segment is left as it is."""
BUFFERED_TOKENS = 16 << 20
"""Pieces a writer holds (64 MB; some ten times that while they are sorted) before it makes segments of them."""
COMPILED_TOKENS = 4_000_000
"""Length of an index from which on compiled loops pay for being loaded (half a second)."""
COMPILED_SEARCHES = 1000
"""Searches of a language of a shorter one after which they do."""
Entry = dict[str, int]
"""A segment in the state: first and last passage number, passages, and the sum of their lengths in tokens."""


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What is posted of a batch: terms of every passage, as `Bags` has them, and their weights, integers above 0 (no
    term twice in a passage), or None where a term weighs as much as it is often there. lengths: int64, of the
    passages, None where they are the sums of the weights."""

    terms: NDArray[np.int32]
    starts: IntArray
    weights: NDArray[np.int64] | None = None
    lengths: IntArray | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1


def pieces_of(batch: PassageBatch) -> Terms | None:
    """The pieces of a batch, counted."""
    return Terms(batch.pieces.tokens, batch.pieces.starts) if batch.pieces is not None else None


class ImpactWriter:
    """Appends the terms of passages to the segments of `folder`.

    read: which of a batch's terms, None where it has none. state: what `flush` last returned and the manifest
    committed, `{}` for a new index. high_water: the first passage number not yet given away. Segments that `state`
    does not name take no part.
    """

    def __init__(
        self,
        folder: Path,
        state: Mapping[str, Any],
        *,
        high_water: int,
        files: Files,
        read: Callable[[PassageBatch], Terms | None] = pieces_of,
    ) -> None:
        self._folder, self._files = folder, files
        self._read = read
        self._next = high_water
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {})
        self._segments = {lang: list(entries) for lang, entries in languages.items()}
        self._batches: list[tuple[PassageBatch, Terms]] = []
        self._buffered = 0

    def add(self, batch: PassageBatch) -> None:
        """Append the terms of `batch`. Raises ValueError when numbers were given before or do not ascend, or when
        the batch has no such terms."""
        self._next = next_number(self._next, batch.numbers)
        terms = self._read(batch)
        if terms is None or len(terms) != len(batch):
            raise ValueError("every passage of a batch must come with its pieces or weights")
        self._batches.append((PassageBatch(batch.numbers, batch.langs, (), ()), terms))
        self._buffered += len(terms.terms)
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
        numbers = np.concatenate([batch.numbers for batch, _ in batches])
        langs = np.concatenate([np.array(batch.langs) for batch, _ in batches])
        everything = _joined([terms for _, terms in batches])
        for lang in np.unique(langs).tolist():
            chosen = np.flatnonzero(langs == lang)
            for start in range(0, len(chosen), ROWS):
                rows = chosen[start : start + ROWS]
                own = _taken(everything, rows)
                if len(own.terms):
                    postings = _posted(numbers[rows], own)
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
        self._kernel: Kernel | None = None
        self._searched = 0
        self._joint: Together | None = None
        self._lock = threading.Lock()

    def languages(self) -> list[str]:
        """The languages that have passages here, sorted."""
        return sorted(self._segments)

    def statistics(self, lang: str) -> Statistics:
        """Passages and tokens of a language, zeros where there are none."""
        return self._statistics.get(lang, Statistics(0, 0))

    def counts(self, langs: Sequence[str], groups: LanguageGroups) -> IntArray:
        """In how many passages of its language each term of the languages' groups stands, and how often: int64 (2,
        terms)."""
        if (together := self._together()) is not None:
            return together.counts(langs, groups)
        found = np.zeros((2, len(groups.terms)), dtype=np.int64)
        for lang, begin, end in zip(langs, groups.begins, groups.begins[1:], strict=False):
            for segment in self._segments.get(lang, ()):
                found[:, begin:end] += segment.counts(groups.terms[begin:end])
        return found

    def likely(
        self, langs: Sequence[str], groups: LanguageGroups, scorer: Scorer, depth: int, allowed: Mask | None = None
    ) -> list[Scored]:
        """Of each language the passages that score above 0 among which its best `depth` are, each once.

        groups, scorer: of these languages. allowed: those that may be returned.
        """
        if (together := self._together()) is not None:
            try:
                return together.likely(langs, groups, scorer, depth, allowed)
            except IndexError as error:
                raise _damaged(str(error)) from error
        return [self._likely(lang, groups.of(i), scorer.of(i), depth, allowed) for i, lang in enumerate(langs)]

    def _likely(self, lang: str, groups: Groups, scorer: Scorer, depth: int, allowed: Mask | None) -> Scored:
        run, limit, parts = self._loops(), 0.0, []
        self._searched += 1
        for segment in self._segments.get(lang, ()):
            inside = None if allowed is None else allowed[segment.numbers]
            scores = _scores(lang, run, segment, groups, scorer, depth, limit, inside)
            rows, found, limit = run.above(scores, depth, limit, inside)
            parts.append(Scored(segment.numbers[rows], found))
        return Scored.joined(parts)

    def best(self, lang: str, groups: Groups, scorer: Scorer, depth: int, allowed: Mask | None = None) -> Best:
        """The best `depth` passages of a language that score above 0, by score, then passage number. allowed: those
        that may be returned; they come whenever they match."""
        return Best.of_each([self._likely(lang, groups, scorer, depth, allowed)], depth)

    def best_of_all(
        self, lang: str, groups: Groups, scorer: Scorer, depth: int, allowed: Mask | None = None
    ) -> tuple[Best, tuple[float, float]]:
        """`best`, with mean and standard deviation of all the language's passages' scores, dead and forbidden ones
        among them: nothing is skipped."""
        run, limit, parts, total, squares = self._loops(), 0.0, [], 0.0, 0.0
        for segment in self._segments.get(lang, ()):
            scores = _scores(lang, run, segment, groups, scorer, len(segment.numbers), 0.0, None)
            total += float(scores.sum())
            squares += float(scores @ scores)
            inside = None if allowed is None else allowed[segment.numbers]
            rows, found, limit = run.above(scores, depth, limit, inside)
            parts.append(Scored(segment.numbers[rows], found))
        count = max(1, self.statistics(lang).passages)
        mean = total / count
        best = Best.of_each([Scored.joined(parts)], depth)
        return best, (mean, math.sqrt(max(0.0, squares / count - mean * mean)))

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._segments, self._joint = {}, None

    def _loops(self) -> Kernel:
        with self._lock:
            if self._kernel is None:
                total = sum(statistics.tokens for statistics in self._statistics.values())
                self._kernel = (compiled() if total >= COMPILED_TOKENS else None) or NUMPY
            elif self._kernel is NUMPY and self._searched >= COMPILED_SEARCHES:
                self._kernel = compiled() or NUMPY
            return self._kernel

    def _together(self) -> Together | None:
        """All segments as compiled loops take them, None where NumPy searches."""
        if self._loops() is NUMPY:
            return None
        from xsearch.retrieve.segments_numba import Together

        with self._lock:
            if self._joint is None:
                self._joint = Together(self._segments)
            return self._joint


def _scores(
    lang: str,
    run: Kernel,
    segment: Postings,
    groups: Groups,
    scorer: Scorer,
    depth: int,
    limit: float,
    inside: Mask | None,
) -> Float64Array:
    try:
        return run.accumulate(segment, groups, scorer, depth, limit, inside)
    except IndexError as error:
        raise _damaged(lang) from error


def _damaged(lang: str) -> IndexDamaged:
    return IndexDamaged(f"the postings of '{lang}' are damaged: run `xsearch check --repair`")


def segment_name(lang: str, entry: Entry) -> str:
    """Path of a segment, relative to the part's folder."""
    return f"{lang}/{entry['first']}-{entry['last']}.postings"


def _open(folder: Path, lang: str, entry: Entry) -> Postings:
    return map_postings(folder / segment_name(lang, entry), entry["first"], entry["passages"])


def _after_last_large(entries: Sequence[Entry]) -> int:
    large = [place for place, entry in enumerate(entries) if entry["passages"] >= LARGE]
    return large[-1] + 1 if large else 0


def _posted(numbers: IntArray, own: Terms) -> Postings:
    sizes = np.diff(own.starts)
    if own.weights is None:
        return count_tokens(numbers, own.terms, sizes)
    return weigh_terms(numbers, own.terms, sizes, own.weights, own.lengths)


def _joined(parts: Sequence[Terms]) -> Terms:
    before = np.cumsum([0, *(len(part.terms) for part in parts)])
    starts = [part.starts[:-1] + start for part, start in zip(parts, before, strict=False)]
    weights = [part.weights for part in parts if part.weights is not None]
    lengths = [part.lengths for part in parts if part.lengths is not None]
    return Terms(
        np.concatenate([part.terms for part in parts]),
        np.concatenate([*starts, before[-1:]]),
        np.concatenate(weights) if weights else None,
        np.concatenate(lengths) if lengths else None,
    )


def _taken(terms: Terms, rows: IntArray) -> Terms:
    """Those of the passages in these rows."""
    sizes = terms.starts[rows + 1] - terms.starts[rows]
    starts = np.concatenate(([0], np.cumsum(sizes)))
    places = np.arange(starts[-1]) + np.repeat(terms.starts[rows] - starts[:-1], sizes)
    return Terms(
        terms.terms[places],
        starts,
        None if terms.weights is None else terms.weights[places],
        None if terms.lengths is None else terms.lengths[rows],
    )
