"""Names and other words by their spelling, in any script: Достоевский for Dostoevsky, पानी for pani, house for huose.

A word of the query reaches the words of the index whose consonants (`lang.romanise.skeleton`) are its own, or come to
be by adding, leaving out or changing one; each is then compared letter by letter (`lang.spellings`), and the log-odds
that the two are one name become a probability. With w_t what word t of the query counts,

    p(t, u) = 1 / (1 + exp(-(odds(t, u) - ln(1 + T) - PRIOR) / SOFTNESS)),   1 if u is t itself
    df(t) = Σ_u p(t, u) df(u),   idf(t) = ln(1 + (N - df(t) + .5) / (df(t) + .5))
    score(q, d) = Σ_t w_t idf(t) · max { p(t, u) : u in d }

N, df and T = Σ_u df(u) are of the passage's language: the more words it has, the more sound alike by chance. In a
language that writes compounds as one word and lacks t, those with t in them and those that t is put together of count
with a probability of their own (`lang.compounds`).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import Mask, PassageBatch, Query, Ranking, Spelling
from xsearch.retrieve.dense import merge_from
from xsearch.retrieve.directory import Directory, Near, Segment
from xsearch.retrieve.forms import Entry, Forms, collect, forms_name, merge, read_forms
from xsearch.retrieve.numbers import next_number
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files, durable_write

MAX_SEGMENTS = 8
"""Segments of a language before a flush merges some."""
BUFFERED = 1 << 23
"""Postings a writer holds before it makes segments of them ahead of the flush, some 200 MB."""


class NamesWriter:
    """Appends the word forms of passages to the segments of `folder`.

    state: what `flush` last returned and the manifest committed, `{}` for a new index. high_water: the first passage
    number not yet given away. Segments that `state` does not name take no part.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._folder, self._files = folder, files
        self._next = high_water
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {})
        self._segments = {lang: list(entries) for lang, entries in languages.items()}
        self._buffers: dict[str, Buffer] = {}
        self._buffered = 0

    def add(self, batch: PassageBatch) -> None:
        """Append the forms of `batch`. Raises ValueError when numbers were given before or do not ascend."""
        self._next = next_number(self._next, batch.numbers)
        if batch.forms is None:
            return
        for number, lang, forms in zip(batch.numbers.tolist(), batch.langs, batch.forms, strict=True):
            self._buffered += self._buffers.setdefault(lang, Buffer(number)).add(number, forms)
        if self._buffered >= BUFFERED:
            self._write_buffers()

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it.

        The state is JSON: "languages" (a list of segments each), "files" (paths relative to the folder). Raises
        `CannotWrite` when the disk refuses.
        """
        reach("retrieve.names.flush.before")
        self._write_buffers()
        for lang, entries in self._segments.items():
            if len(entries) > MAX_SEGMENTS:
                start = merge_from([entry["passages"] for entry in entries])
                entries[start:] = [self._merge(lang, entries[start:])]
                reach("retrieve.names.flush.merged")
        reach("retrieve.names.flush.after")
        languages = {lang: list(entries) for lang, entries in sorted(self._segments.items())}
        return {
            "languages": languages,
            "files": sorted(forms_name(lang, entry) for lang, entries in languages.items() for entry in entries),
        }

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._buffers.clear()

    def _write_buffers(self) -> None:
        for lang, buffer in sorted(self._buffers.items()):
            entry = self._write(lang, buffer.first, buffer.last, buffer.passages, buffer.collected())
            self._segments.setdefault(lang, []).append(entry)
        self._buffers.clear()
        self._buffered = 0

    def _write(self, lang: str, first: int, last: int, passages: int, forms: Forms) -> Entry:
        entry = {"first": first, "last": last, "passages": passages, "words": len(forms)}
        self._files.make_folder(self._folder / lang)
        reach("retrieve.names.write.before")
        durable_write(self._files, self._folder / forms_name(lang, entry), forms.to_bytes())
        reach("retrieve.names.write.after")
        return entry

    def _merge(self, lang: str, entries: Sequence[Entry]) -> Entry:
        parts = [(entry["first"], read_forms(self._folder / forms_name(lang, entry), entry)) for entry in entries]
        passages = sum(entry["passages"] for entry in entries)
        return self._write(lang, entries[0]["first"], entries[-1]["last"], passages, merge(parts))


class Numbered(dict[str, int]):
    """Numbers of strings in the order in which they are first asked for."""

    def __missing__(self, key: str) -> int:
        self[key] = number = len(self)
        return number


@dataclass(slots=True)
class Buffer:
    """Passages of a language not yet written: forms by number, and for each passage its forms' numbers."""

    first: int
    last: int = 0
    passages: int = 0
    forms: Numbered = field(default_factory=Numbered)
    numbers: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, number: int, joined: str) -> int:
        """Append a passage with its forms, joined by spaces; returns how many."""
        forms = joined.split()
        self.numbers += map(self.forms.__getitem__, forms)
        self.offsets.append(number - self.first)
        self.counts.append(len(forms))
        self.last = number
        self.passages += 1
        return len(forms)

    def collected(self) -> Forms:
        """The segment of it."""
        return collect(list(self.forms), np.array(self.numbers, dtype=np.int64), np.repeat(self.offsets, self.counts))


class Names:
    """One snapshot of a names index, safe to search from several threads; writes nothing.

    Files are mapped when it is opened, the words' keys are read when first searched. Raises `IndexDamaged` when a
    file is missing or does not fit the state.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any]) -> None:
        languages = state.get("languages", {})
        self._languages = sorted(languages)
        self._open = [
            Segment(place, entry["first"], entry["passages"], read_forms(folder / forms_name(lang, entry), entry))
            for place, lang in enumerate(self._languages)
            for entry in languages[lang]
        ]
        self._directory: Directory | None = None
        self._lock = threading.Lock()

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language (of `langs` alone if given), by score, then passage number.

        query: `spellings` holds its words. allowed: passages that may be returned. The ranking's background is
        (0, Σ w idf): what no match scores, and what a passage scores that has every word as it is written.
        """
        directory = self._prepared()
        if directory is None or not query.spellings:
            return Ranking.of([], [])
        found = [directory.matches(spelling) for spelling in query.spellings]
        weights = np.array([spelling.weight for spelling in query.spellings])
        idf = directory.idf(found)
        hits = directory.hits(found, weights[:, None] * idf)
        counted = np.array([not spelling.among for spelling in query.spellings])
        most = (weights * counted) @ idf
        wanted = np.array([langs is None or lang in langs for lang in self._languages])
        background = {
            self._languages[place]: (0.0, float(most[place])) for place in np.flatnonzero(wanted & (most > 0))
        }
        best = hits.best(wanted, depth, allowed)
        return Ranking(best.passages, best.scores, background)

    def knows(self, spelling: Spelling) -> bool:
        """Whether the index has the very word, in whatever language."""
        directory = self._prepared()
        return directory is not None and directory.knows(spelling)

    def near(self, spelling: Spelling, most: int, langs: Collection[str] | None = None) -> list[Near]:
        """The words of the index (of `langs` alone if given) that are written in the spelling's own family and are
        likely it, best first, at most `most`; the word itself comes first where it is there, in whatever language."""
        directory = self._prepared()
        return directory.near(spelling, most, langs) if directory is not None else []

    def unknown(self, query: Query) -> float:
        """The part of a query's weight that lies on words that no passage has as they are written, 0 to 1: how far
        their spelling is all there is to go by."""
        directory = self._prepared()
        counted = [spelling for spelling in query.spellings if not spelling.among]
        total = sum(spelling.weight for spelling in counted)
        if directory is None or not total:
            return 0.0
        return sum(s.weight for s in counted if not (directory.matches(s).probabilities == 1.0).any()) / total

    def support(self, query_lang: str, passage_lang: str) -> float:
        """0: whatever the languages, of passages without any of the words it says nothing by itself; see `unknown`."""
        return 0.0

    def languages(self) -> list[str]:
        """The languages that have words, sorted."""
        return list(self._languages)

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._open, self._directory = [], None

    def _prepared(self) -> Directory | None:
        with self._lock:
            if self._directory is None and self._open:
                self._directory = Directory(self._open, self._languages)
        return self._directory
