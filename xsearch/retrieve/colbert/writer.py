"""Writes the part `colbert`: token vectors of every passage, in segments per language.

The first tokens of an index are kept whole, 8 bits a component. With the flush that makes them `TRAINED_FROM` a
codebook is learnt from a sample of all of them, and they are encoded with it, as are all that come later, until
`compact` builds the index anew: a passage added or deleted changes no other's codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import EncoderMismatch, FloatArray, IntArray, PassageBatch
from xsearch.retrieve.colbert.centroids import Nearest, centroid_count, kmeans, sample_size
from xsearch.retrieve.colbert.codebook import (
    Bytes,
    Codebook,
    codebook_name,
    learn_codebook,
    packed_codebook,
    read_codebook,
    whole,
)
from xsearch.retrieve.colbert.segment import Entry, Tokens, joined, map_segment, segment_name, serialised
from xsearch.retrieve.dense import merge_from
from xsearch.retrieve.numbers import next_number
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files, durable_write

TRAINED_FROM = 1 << 16
"""Tokens from which on a codebook pays."""
BITS = 4
"""Of a component of a residual, unless the recipe says otherwise: with 2, a tenth of the best hundred are others than
those of exact MaxSim (`eval/results/colbert.jsonl`)."""
MAX_SEGMENTS = 8
"""Segments of a language before a flush merges some."""
FULL = 1 << 25
"""Tokens from which on a segment is merged no more: a gigabyte of codes."""
BUFFER_BYTES = 256 << 20
"""Codes a writer holds before it makes segments of them ahead of the flush."""
AT_ONCE = 1 << 16
"""Tokens encoded at once."""
WEIGHED = 1 << 16
"""Tokens of the sample whose residuals settle what the bits stand for: of eight million components each bucket has
plenty, and finding the nearest centroids of the whole sample again would take a fifth of the time of a build."""


class ColbertWriter:
    """Appends token vectors to the segments of `folder`.

    state: what `flush` last returned and the manifest committed; for a new index `{}`, with "bits" for residuals of
    other than `BITS`. high_water: the first passage number not yet given away. Segments that `state` does not name take
    no part.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._folder, self._files = folder, files
        self._next = high_water
        self._dim: int = state.get("dim", 0)
        self._bits: int = state.get("bits", BITS)
        self._trained: int = state.get("trained", 0)
        self._book: Codebook | None = None
        self._nearest: Nearest | None = None
        if self._dim:
            self._book = open_codebook(folder, state)
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {})
        self._segments = {lang: list(entries) for lang, entries in languages.items()}
        self._buffers: dict[str, list[Tokens]] = {}
        self._buffered = 0

    def add(self, batch: PassageBatch) -> None:
        """Append the token vectors of `batch`. Vectors that are all zero are left out, and passages without any.

        Raises ValueError when numbers were given before or do not ascend, when vectors are not those of the batch's
        passages or one is not finite; `EncoderMismatch` when they are of another dimension than those before.
        """
        self._next = next_number(self._next, batch.numbers)
        held = batch.token_vectors
        if held is None or len(held) != len(batch):
            raise ValueError("every passage of a batch must come with the vectors of its tokens")
        if not len(held.vectors):
            return
        if not np.isfinite(held.vectors).all():
            raise ValueError("a token vector is not finite")
        self._settle(held.vectors.shape[1])
        spoken = np.any(held.vectors != 0, axis=1)
        counts = np.add.reduceat(np.append(spoken, False).astype(np.int64), held.starts[:-1])
        counts[np.diff(held.starts) == 0] = 0
        langs = np.array(batch.langs)
        owners = np.repeat(np.arange(len(batch)), np.diff(held.starts))
        for lang in sorted(set(langs[counts > 0].tolist())):
            rows = np.flatnonzero((langs == lang) & (counts > 0))
            tokens = np.flatnonzero(spoken & (langs[owners] == lang))
            starts = np.concatenate(([0], np.cumsum(counts[rows])))
            made = Tokens(batch.numbers[rows], starts, *self._codes(held.vectors[tokens]))
            self._buffers.setdefault(lang, []).append(made)
            self._buffered += made.codes.nbytes
        if self._buffered >= BUFFER_BYTES:
            self._write_buffers()

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it.

        The state is JSON: "dim", "bits", "trained" (tokens that the codebook was learnt for, 0 while there is none),
        "languages" (a list of segments each), "files" (paths relative to the folder). Raises `CannotWrite` when the
        disk refuses.
        """
        reach("retrieve.colbert.flush.before")
        held = sum(entry["tokens"] for entries in self._segments.values() for entry in entries)
        held += sum(len(part) for parts in self._buffers.values() for part in parts)
        if not self._trained and held >= TRAINED_FROM:
            self._train(held)
            reach("retrieve.colbert.flush.trained")
        self._write_buffers()
        for lang, entries in self._segments.items():
            small = next((at for at, entry in enumerate(entries) if entry["tokens"] < FULL), len(entries))
            if len(entries) - small > MAX_SEGMENTS:
                start = small + merge_from([entry["tokens"] for entry in entries[small:]])
                entries[start:] = [self._write(lang, joined(self._mapped(lang, entries[start:])))]
                reach("retrieve.colbert.flush.merged")
        reach("retrieve.colbert.flush.after")
        languages = {lang: list(entries) for lang, entries in sorted(self._segments.items())}
        files = [segment_name(lang, entry) for lang, entries in languages.items() for entry in entries]
        if self._trained:
            files.append(codebook_name(self._trained))
        state = {"dim": self._dim, "bits": self._bits, "trained": self._trained}
        return {**state, "languages": languages, "files": sorted(files)}

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._buffers.clear()

    def _settle(self, dim: int) -> None:
        """The first vectors settle the index's dimension."""
        if not self._dim:
            self._dim, self._book = dim, whole(dim)
        if self._dim != dim:
            raise EncoderMismatch(
                f"{self._folder} holds token vectors of {self._dim} components, the encoder made {dim}: "
                "use the encoder the index was built with, or build a new index"
            )

    def _codes(self, vectors: FloatArray) -> tuple[Bytes, IntArray]:
        """Vectors encoded: their bits, and their centroids where there are such."""
        book = self._codebook()
        if book.is_whole:
            return book.encode(vectors, np.zeros(len(vectors), np.int64)), np.zeros(0, np.int64)
        if self._nearest is None:
            self._nearest = Nearest(book.vectors)
        cells = self._nearest.find(vectors)
        return book.encode(vectors, cells), cells

    def _train(self, held: int) -> None:
        """Learn a codebook from a sample of all tokens, evenly spread over them, and encode all with it."""
        parts: list[tuple[str, Tokens]] = []
        for lang in sorted({*self._segments, *self._buffers}):
            parts += [(lang, part) for part in self._mapped(lang, self._segments.get(lang, []))]
            if lang in self._buffers:
                parts.append((lang, joined(self._buffers[lang])))
        sample = self._sample(held, [part for _, part in parts])
        centroids = kmeans(sample, centroid_count(held))
        weighed = sample[:: -(-len(sample) // WEIGHED)]
        self._book = learn_codebook(centroids, weighed, Nearest(centroids).find(weighed), self._bits)
        self._trained = held
        self._files.make_folder(self._folder)
        durable_write(self._files, self._folder / codebook_name(held), packed_codebook(self._book))
        self._segments, self._buffers, self._buffered = {}, {}, 0
        for lang, part in parts:
            self._segments.setdefault(lang, []).append(self._write(lang, self._recoded(part)))

    def _sample(self, held: int, parts: Sequence[Tokens]) -> FloatArray:
        """Token vectors evenly spread over those kept whole, float32 (n, dim)."""
        size, before, taken = sample_size(held), 0, []
        wanted = np.arange(size) * held // size
        for part in parts:
            inside = wanted[(wanted >= before) & (wanted < before + len(part))] - before
            taken.append(vectors_of(part.codes[inside]))
            before += len(part)
        return np.concatenate(taken)

    def _recoded(self, part: Tokens) -> Tokens:
        """Passages kept whole, encoded with the codebook."""
        blocks = [
            self._codes(vectors_of(part.codes[start : start + AT_ONCE])) for start in range(0, len(part), AT_ONCE)
        ]
        codes, cells = zip(*blocks, strict=True)
        return Tokens(part.numbers, part.starts, np.concatenate(codes), np.concatenate(cells))

    def _codebook(self) -> Codebook:
        if self._book is None:
            raise ValueError("the dimension of the vectors is not known before the first of them")
        return self._book

    def _write_buffers(self) -> None:
        for lang, parts in sorted(self._buffers.items()):
            self._segments.setdefault(lang, []).append(self._write(lang, joined(parts)))
        self._buffers.clear()
        self._buffered = 0

    def _write(self, lang: str, made: Tokens) -> Entry:
        book = self._codebook()
        entry = {
            "first": int(made.numbers[0]),
            "last": int(made.numbers[-1]),
            "passages": made.passages,
            "tokens": len(made),
            "bits": book.bits,
        }
        self._files.make_folder(self._folder / lang)
        reach("retrieve.colbert.write.before")
        durable_write(self._files, self._folder / segment_name(lang, entry), serialised(made, book))
        reach("retrieve.colbert.write.after")
        return entry

    def _mapped(self, lang: str, entries: Sequence[Entry]) -> list[Tokens]:
        book = self._codebook()
        return [map_segment(self._folder / segment_name(lang, entry), entry, book).tokens for entry in entries]


def open_codebook(folder: Path, state: Mapping[str, Any]) -> Codebook:
    """The codebook of a part's state that has vectors. Raises `IndexDamaged`."""
    dim, trained = int(state["dim"]), int(state.get("trained", 0))
    return read_codebook(folder / codebook_name(trained), dim, int(state["bits"])) if trained else whole(dim)


def vectors_of(codes: Bytes) -> FloatArray:
    """Vectors kept whole, float32 (n, dim)."""
    vectors: FloatArray = (codes.astype(np.float32) - np.float32(128)) / np.float32(128)
    return vectors
