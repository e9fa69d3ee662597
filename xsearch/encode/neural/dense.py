"""Dense neural encoders: one vector a text, of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xsearch.core import FloatArray, IntArray, Windows
from xsearch.encode.card import EncoderCard
from xsearch.encode.neural.languages import Languages
from xsearch.encode.neural.network import Features, Network
from xsearch.encode.neural.tokens import TextTokens


@dataclass(frozen=True)
class Sides:
    """How each side's texts become tokens."""

    query: TextTokens
    passage: TextTokens


class DenseEncoder:
    """Encodes texts with a neural network. Safe to share between threads.

    A text's vector depends on the texts it is computed with in the last bits only (padding changes the order of
    sums).
    """

    def __init__(self, card: EncoderCard, network: Network, sides: Sides, languages: Languages, dim: int) -> None:
        self.card = card
        self._network, self._sides, self._languages = network, sides, languages
        self._dim = dim

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> FloatArray:
        """A vector of every text, float32 (len(texts), dim); a text longer than `card.max_length` has the mean of its
        windows' vectors, scaled to length 1, an empty one zeros."""
        tokens = self._sides.query.tokenise(texts)
        vectors = self._encode(tokens.ids, tokens.owners, "query", langs)
        sums = np.zeros((len(texts), self._dim), dtype=np.float32)
        np.add.at(sums, tokens.owners, vectors)
        return unit(sums)

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Windows:
        """A vector of every text, several of one longer than `card.max_length`, none of an empty one."""
        tokens = self._sides.passage.tokenise(texts)
        return Windows(self._encode(tokens.ids, tokens.owners, "document", langs), tokens.owners)

    def supports(self, lang: str) -> float:
        """How well the encoder knows a language: its card's score."""
        return self._languages.supports(lang)

    def word_weights(self, words: Sequence[str]) -> FloatArray:
        """1 of every word: a neural encoder does not weigh words alone."""
        return np.ones(len(words), dtype=np.float32)

    def _encode(self, ids: list[list[int]], owners: IntArray, task: str, langs: Sequence[str] | None) -> FloatArray:
        vectors = np.zeros((len(ids), self._dim), dtype=np.float32)
        for rows, module in self._languages.groups(owners, langs):

            def keep(batch: IntArray, outputs: Features, rows: IntArray = rows) -> None:
                vectors[rows[batch]] = to_numpy(outputs["sentence_embedding"][:, : self._dim])

            self._network.run([ids[row] for row in rows], task, keep, module=module)
        return unit(vectors)


def unit(vectors: FloatArray) -> FloatArray:
    """Rows scaled to length 1, zeros left as they are."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled


def to_numpy(tensor: Any) -> FloatArray:
    """A tensor of any type on any device as float32."""
    array: FloatArray = tensor.float().cpu().numpy()
    return array
