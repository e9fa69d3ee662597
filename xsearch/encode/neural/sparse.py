"""Learned sparse encoders: weights of vocabulary entries (SPLADE: Formal et al. 2021; BLADE: Nair et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray, SparseVectors
from xsearch.encode.card import EncoderCard
from xsearch.encode.neural.dense import Sides, to_numpy
from xsearch.encode.neural.languages import Languages
from xsearch.encode.neural.network import Features, Network
from xsearch.encode.neural.tokens import TextTokens

Entries = tuple[NDArray[np.int32], FloatArray]
"""Terms, ascending, and their weights."""


class WeightEncoder:
    """Encodes texts as weights of the network's vocabulary. Safe to share between threads."""

    def __init__(self, card: EncoderCard, network: Network, sides: Sides, languages: Languages) -> None:
        self.card = card
        self._network, self._sides, self._languages = network, sides, languages

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> SparseVectors:
        """The queries' weights; none for an empty text."""
        return self._encode(self._sides.query, texts, "query", langs)

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> SparseVectors:
        """The passages' weights, the largest of a long one's windows; none for an empty text."""
        return self._encode(self._sides.passage, texts, "document", langs)

    def supports(self, lang: str) -> float:
        """How well the encoder knows a language: its card's score."""
        return self._languages.supports(lang)

    def _encode(self, side: TextTokens, texts: Sequence[str], task: str, langs: Sequence[str] | None) -> SparseVectors:
        tokens = side.tokenise(texts)
        found: list[Entries] = [(np.empty(0, np.int32), np.empty(0, np.float32))] * len(tokens.ids)
        for rows, module in self._languages.groups(tokens.owners, langs):

            def keep(batch: IntArray, outputs: Features, rows: IntArray = rows) -> None:
                weights = outputs["sentence_embedding"]
                weights = weights.to_dense() if weights.is_sparse else weights
                # On the device, so that a batch of whole vocabularies does not travel.
                places = weights.nonzero()
                kept = to_numpy(weights[places[:, 0], places[:, 1]])
                text, term = places.cpu().numpy().T
                bounds = np.searchsorted(text, np.arange(1, len(batch)))
                terms, values = np.split(term.astype(np.int32), bounds), np.split(kept, bounds)
                for row, entries in zip(rows[batch], zip(terms, values, strict=True), strict=True):
                    found[row] = entries

            self._network.run([tokens.ids[row] for row in rows], task, keep, module=module)
        return rows_of(found, tokens.owners, len(texts))


def rows_of(windows: Sequence[Entries], owners: IntArray, texts: int) -> SparseVectors:
    """Windows' entries as those of their texts: of a term in several windows the largest weight. Weights of 0 or less
    are left out."""
    sizes = [len(terms) for terms, _ in windows]
    text = np.repeat(owners, sizes)
    terms = np.concatenate([np.empty(0, np.int32), *(terms for terms, _ in windows)])
    weights = np.concatenate([np.empty(0, np.float32), *(weights for _, weights in windows)])
    order = np.lexsort((-weights, terms, text))
    text, terms, weights = text[order], terms[order], weights[order]
    first = np.ones(len(text), dtype=np.bool_)
    first[1:] = (text[1:] != text[:-1]) | (terms[1:] != terms[:-1])
    first &= weights > 0
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(text[first], minlength=texts))])
    return SparseVectors(starts.astype(np.int64), terms[first], weights[first])
