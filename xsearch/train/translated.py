"""Pairs made by translating a sentence piece by piece: what parallel text says of one domain reaches every language.

Everyday sentences stand in the data in forty languages, health or law in others. Word by word, by translation tables
learnt from all of it, each sentence can be had in every language, and to a sum of vectors word order does not matter
(after code switching by lexicon: Qin et al. 2020, "CoSDA-ML"; Whitehouse, Christopoulou and Iacobacci 2022,
"EntityCS").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray
from xsearch.train.bags import Bags, Ints, concatenate
from xsearch.train.recipe import Translated
from xsearch.train.sampling import PairBatch, PairSampler

LEAST_TOKENS = 3


@dataclass(frozen=True, eq=False)
class PieceTable:
    """Translations of the pieces of one language into another's: `left[i]` becomes `right[i]` with `weights[i]`, which
    need not sum to 1. int64, int64 and float32 (n,), ascending in `left`."""

    left: Ints
    right: Ints
    weights: FloatArray


class Translator:
    """Draws translations of pieces from the tables of several languages."""

    def __init__(self, tables: Mapping[int, PieceTable], vocabulary: int) -> None:
        self._vocabulary = vocabulary
        self.languages = sorted(tables)
        self.sizes = np.array([len(np.unique(tables[lang].left)) for lang in self.languages], dtype=np.float64)
        keys = [row * vocabulary + tables[lang].left for row, lang in enumerate(self.languages)]
        self._right = np.concatenate([tables[lang].right for lang in self.languages])
        weights = np.concatenate([tables[lang].weights for lang in self.languages]).astype(np.float64)
        self._cumulative = np.concatenate([[0.0], np.cumsum(weights)])
        joined = np.concatenate(keys)
        self._keys, self._first = np.unique(joined, return_index=True)
        self._last = np.append(self._first[1:], len(joined))

    def draw(self, rows: Ints, tokens: Ints, rng: np.random.Generator) -> Ints:
        """A translation of every token into the language `languages[rows[i]]`, drawn by weight; -1 for none."""
        keys = rows * self._vocabulary + tokens
        found = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        first, last = self._first[found], self._last[found]
        low, high = self._cumulative[first], self._cumulative[last]
        mark = low + rng.random(len(tokens)) * (high - low)
        place = np.clip(np.searchsorted(self._cumulative, mark, side="right") - 1, first, last - 1)
        drawn: Ints = np.where(self._keys[found] == keys, self._right[place], -1)
        return drawn


class TranslatingSampler:
    """Draws the batches of `pairs`, of which a share are sentences of `source` with their translation by pieces.

    source: number of the language that the tables translate from. A piece without a translation is left out; a
    sentence of which less than `settings.least` is translated is not used. In half of the sentences a piece stays as
    it is with probability `settings.switch`, as names and numbers do.
    """

    def __init__(self, pairs: PairSampler, translator: Translator, source: int, settings: Translated) -> None:
        self._pairs, self._translator, self._source, self._settings = pairs, translator, source, settings
        weights = np.cumsum(translator.sizes**settings.size_exponent)
        self._languages: NDArray[np.float64] = weights / weights[-1]

    def draw(self, size: int, rng: np.random.Generator) -> PairBatch:
        """A batch of at most `size` pairs."""
        wanted = round(size * self._settings.share)
        drawn = self._pairs.draw(size - wanted, rng)
        made = self._translate(wanted, rng)
        return PairBatch(
            concatenate([drawn.left, made.left]),
            concatenate([drawn.right, made.right]),
            np.concatenate([drawn.groups, made.groups]),
        )

    def _translate(self, size: int, rng: np.random.Generator) -> PairBatch:
        rows, sentences = self._pairs.sentences(size, self._source, LEAST_TOKENS, rng)
        targets = np.searchsorted(self._languages, rng.random(len(rows)))
        owners = sentences.owners
        switched = self._settings.switch * (rng.random(len(rows)) < 0.5)
        tokens = self._translator.draw(targets[owners], sentences.tokens, rng)
        tokens = np.where(rng.random(len(tokens)) < switched[owners], sentences.tokens, tokens)
        known = tokens >= 0
        sizes = np.bincount(owners[known], minlength=len(sentences))
        made = Bags(tokens[known], np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)]))
        enough = np.flatnonzero((sizes > 0) & (sizes >= self._settings.least * sentences.sizes))
        rate = self._pairs.dropout
        return PairBatch(sentences.select(enough).drop(rate, rng), made.select(enough).drop(rate, rng), rows[enough])
