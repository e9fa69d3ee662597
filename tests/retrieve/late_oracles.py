"""What late interaction must compute, in the plainest way: dense matrices and loops over words."""

from __future__ import annotations

import numpy as np

from xsearch.core import Bags, PassageBatch, Query, QueryPieces
from xsearch.retrieve import Late, TokensWriter, static_late
from xsearch.storage import DiskFiles

FLOOR, SAMPLE, POOLED = 0.25, 64, 128
INSIDE = 10
"""Of a random vocabulary, pieces whose number ends in a digit below 4 stand inside words."""


class RandomTable:
    """A vocabulary of random vectors, some of which lie near each other."""

    def __init__(self, rng: np.random.Generator, size: int = 400, dim: int = 24) -> None:
        centres = rng.standard_normal((size // 8, dim))
        vectors = centres[rng.integers(0, len(centres), size)] + 0.6 * rng.standard_normal((size, dim))
        self.integers = np.clip(np.rint(vectors * 40), -127, 127).astype(np.int8)
        self.scales = rng.uniform(0.005, 0.03, size).astype(np.float32)
        self._words: dict[tuple[int, ...], np.ndarray] = {}
        self.vectors = self.integers * self.scales[:, None].astype(np.float64)

    def token_integers(self, tokens):
        return self.integers[tokens], self.scales[tokens]

    def word(self, pieces):
        """The sum of a word's vectors by the root of the sum of their squared lengths."""
        if pieces not in self._words:
            vectors = self.vectors[list(pieces)]
            self._words[pieces] = vectors.sum(axis=0) / np.sqrt((vectors**2).sum())
        return self._words[pieces]

    def begins_word(self, tokens):
        return np.asarray(tokens) % INSIDE >= 4


def words_of(table: RandomTable, pieces) -> list[tuple[int, ...]]:
    words: list[list[int]] = []
    for piece in np.asarray(pieces).tolist():
        if not words or piece % INSIDE >= 4 or len(words[-1]) == 16:
            words.append([])
        words[-1].append(piece)
    return [tuple(word) for word in words]


def meets(table: RandomTable, query: list[tuple[int, ...]], passages: list[list[tuple[int, ...]]]) -> np.ndarray:
    """m(i, d), float64 (q, n), by einsum over the words' vectors."""
    asked = np.array([table.vectors[list(word)].sum(axis=0) for word in query])
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    met = np.zeros((len(query), len(passages)))
    for d, words in enumerate(passages):
        if not words:
            continue
        cosines = np.einsum("qd,wd->qw", asked, np.array([table.word(word) for word in words]))
        met[:, d] = np.clip((cosines.max(axis=1) - FLOOR) / (1 - FLOOR), 0, 1)
    return met


def sampled(met: np.ndarray) -> np.ndarray:
    """The columns of the passages that stand for a language."""
    count = min(SAMPLE, met.shape[1])
    return met[:, np.unique([i * met.shape[1] // count for i in range(count)])]


def scores(table: RandomTable, query: list[tuple[int, ...]], languages: dict[str, list[list[tuple[int, ...]]]]):
    """By language, scores of its passages, float64 (n,), and the background; the passages all have words."""
    met = {lang: meets(table, query, passages) for lang, passages in languages.items()}
    anywhere = np.concatenate([sampled(own) for own in met.values()], axis=1).mean(axis=1)
    lengths = np.array([np.linalg.norm(table.vectors[list(word)].sum(axis=0)) for word in query])
    found = {}
    for lang, own in met.items():
        sample = sampled(own)
        frequencies = sample.sum(axis=1) + POOLED * anywhere
        weights = lengths * np.log((sample.shape[1] + POOLED + 1) / (frequencies + 0.1))
        values = weights @ sample / weights.sum()
        found[lang] = weights @ own / weights.sum(), (values.mean(), values.std())
    return found


def random_texts(rng: np.random.Generator, count: int, size: int = 400, longest: int = 40) -> list[np.ndarray]:
    """Running text of pieces, few frequent and many rare; every tenth is empty."""
    return [
        np.minimum(rng.zipf(1.2, rng.integers(1, longest)) - 1, size - 1)[:: 1 if rng.random() > 0.1 else longest]
        for _ in range(count)
    ]


def piece_batch(numbers, langs, texts) -> PassageBatch:
    starts = np.concatenate(([0], np.cumsum([len(text) for text in texts])))
    tokens = np.concatenate([np.zeros(0, int), *texts]).astype(np.int32)
    words = np.flatnonzero(tokens % INSIDE >= 4)
    empty = [""] * len(texts)
    return PassageBatch(np.asarray(numbers, np.int64), langs, empty, empty, None, Bags(tokens, starts, words))


def piece_query(pieces) -> Query:
    tokens = np.asarray(pieces, dtype=np.int32)
    places = np.arange(len(tokens))
    return Query("", (), pieces=QueryPieces(tokens, np.ones(len(tokens), np.float32), places, places + 1))


def build(folder, batches, state=None, high_water=0, files=None):
    """Commit each batch on its own; the last state."""
    folder.mkdir(parents=True, exist_ok=True)
    for batch in batches:
        writer = TokensWriter(folder, state or {}, high_water=high_water, files=files or DiskFiles())
        writer.add(batch)
        state = writer.flush()
        writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def reader(folder, state, table) -> Late:
    return Late(folder, state, lambda: table)


def first_version(made) -> bytes:
    """A segment's file as version 1 has it: no rows, and nothing between arrays."""
    sizes = len(made.numbers), len(made.entries), made.words, len(made.pieces)
    narrow = "<u2" if made.words <= 65_536 else "<u4"
    kinds = "<i8", "<i8", "<u4", "<u4", narrow
    arrays = made.numbers, made.starts, made.word_starts, made.pieces, made.entries
    packed = [array.astype(kind).tobytes() for array, kind in zip(arrays, kinds, strict=True)]
    return b"".join((b"XSWORD\x00\x01", np.array(sizes, "<i8").tobytes(), *packed))


def compared(late, query, depth, allowed=None):
    """(score, passage) of the best of each language, by comparing every word of every passage, without lists."""
    words, languages = late._words(query), late._segments
    asked, samples = late._comparison().asked(words), static_late.Samples.of(languages)
    views = samples.views(asked.matches(samples.passages(languages)), words)
    found = []
    for lang, segments in languages.items():
        met = np.concatenate([asked.matches(segment.forward) for segment in segments], axis=1)
        numbers = np.concatenate([segment.forward.numbers for segment in segments])
        scores = (static_late.summed(views[lang].weights, met) / views[lang].total).astype(np.float32)
        kept = np.flatnonzero(allowed[numbers]) if allowed is not None else np.arange(len(numbers))
        kept = kept[np.lexsort((numbers[kept], -scores[kept]))[:depth]]
        found += zip(scores[kept].tolist(), numbers[kept].tolist(), strict=True)
    return found
