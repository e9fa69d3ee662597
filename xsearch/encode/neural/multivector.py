"""Encoders of one vector a token, for late interaction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xsearch.core import FloatArray, IntArray, LocatedTokens, TokenVectors
from xsearch.encode.card import EncoderCard
from xsearch.encode.neural.dense import Sides, to_numpy, unit
from xsearch.encode.neural.languages import Languages
from xsearch.encode.neural.network import Expansion, Features, Network
from xsearch.encode.neural.tokens import TextTokens, Tokenised

NOWHERE = 1 << 40
"""The number of a token that is none of a window's own."""


class TokenEncoder:
    """Encodes the tokens of texts with a neural network. Safe to share between threads.

    expansion: how queries are augmented, None for not at all. A query longer than the augmented length is read whole,
    without augmentation, where Stanford's code would cut it.
    """

    def __init__(
        self, card: EncoderCard, network: Network, sides: Sides, languages: Languages, expansion: Expansion | None
    ) -> None:
        self.card = card
        self._network, self._sides, self._languages = network, sides, languages
        self._expansion = expansion

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> TokenVectors:
        """Vectors of the queries' tokens, special and added ones among them; none for an empty text."""
        return self._encode(self._sides.query, texts, "query", langs, self._expansion)

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> TokenVectors:
        """Vectors of the passages' tokens, those of a long one's windows joined; none for an empty text."""
        return self._encode(self._sides.passage, texts, "document", langs, None)

    def locate_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> list[LocatedTokens]:
        """As `encode_queries`, each vector with what it stands for."""
        return self._locate(self._sides.query, texts, "query", langs, self._expansion)

    def locate_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> list[LocatedTokens]:
        """As `encode_passages`, each vector with what it stands for."""
        return self._locate(self._sides.passage, texts, "document", langs, None)

    def supports(self, lang: str) -> float:
        """How well the encoder knows a language: its card's score."""
        return self._languages.supports(lang)

    def _encode(
        self,
        side: TextTokens,
        texts: Sequence[str],
        task: str,
        langs: Sequence[str] | None,
        expansion: Expansion | None,
    ) -> TokenVectors:
        tokens = side.tokenise(texts)
        found = [vectors for vectors, _ in self._run(tokens, task, langs, expansion)]
        return joined(found, tokens.owners, len(texts), self.card.dim)

    def _locate(
        self,
        side: TextTokens,
        texts: Sequence[str],
        task: str,
        langs: Sequence[str] | None,
        expansion: Expansion | None,
    ) -> list[LocatedTokens]:
        tokens = side.tokenise(texts)
        found = self._run(tokens, task, langs, expansion)
        vectors = joined([vectors for vectors, _ in found], tokens.owners, len(texts), self.card.dim)
        places = [np.empty((0, 2), dtype=np.int64)]
        for (_, numbers), spans in zip(found, side.spans(texts, tokens), strict=True):
            # What augments a query has numbers behind its last token's.
            longer = np.concatenate([spans, np.full((1, 2), -1, dtype=np.int64)])
            places.append(longer[np.minimum(numbers, len(spans))])
        cuts = vectors.starts[1:-1]
        return [
            LocatedTokens(*part)
            for part in zip(np.split(vectors.vectors, cuts), np.split(np.concatenate(places), cuts), strict=True)
        ]

    def _run(
        self, tokens: Tokenised, task: str, langs: Sequence[str] | None, expansion: Expansion | None
    ) -> list[tuple[FloatArray, IntArray]]:
        """Of each window the vectors that count, float32 (n, dim), and which of its tokens they are of, int64 (n,):
        `NOWHERE` for all of a network that pools tokens."""
        found = [(np.empty((0, self.card.dim), dtype=np.float32), np.empty(0, np.int64))] * len(tokens.ids)
        floor = expansion.length if expansion else 1
        for rows, module in self._languages.groups(tokens.owners, langs):

            def keep(batch: IntArray, outputs: Features, rows: IntArray = rows) -> None:
                states, mask = outputs["token_embeddings"], outputs["attention_mask"].bool()
                vectors = unit(to_numpy(states[mask]))
                owners, numbers = np.nonzero(mask.cpu().numpy())
                if mask.shape[1] != max(floor, *(len(tokens.ids[row]) for row in rows[batch])):
                    numbers = np.full_like(numbers, NOWHERE)
                cuts = np.searchsorted(owners, np.arange(1, len(batch)))
                parts = zip(np.split(vectors, cuts), np.split(numbers, cuts), strict=True)
                for row, part in zip(rows[batch], parts, strict=True):
                    found[row] = part

            self._network.run([tokens.ids[row] for row in rows], task, keep, expansion, module)
        return found


def joined(parts: Sequence[FloatArray], owners: IntArray, texts: int, dim: int) -> TokenVectors:
    """Windows' vectors, float32 (tokens, dim) each, as those of their texts; owners ascending."""
    counts = np.bincount(owners, weights=[len(part) for part in parts], minlength=texts).astype(np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return TokenVectors(np.concatenate([np.empty((0, dim), np.float32), *parts]), starts)
