"""What encoders offer: one vector a text (or a window of it), one a token, or weights of vocabulary entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from xsearch.core import Bags, FloatArray, LocatedTokens, QueryPieces, SparseVectors, TokenVectors, Windows
from xsearch.encode.card import EncoderCard


class AnyEncoder(Protocol):
    """What all encoders share. `langs`, wherever it occurs, are language codes of the texts, where they are known."""

    @property
    def card(self) -> EncoderCard:
        """What the encoder is; `card.kind` tells which of the protocols below it follows."""

    def supports(self, lang: str) -> float:
        """How well the encoder knows a language, 0 (not at all) to 1."""


class Encoder(AnyEncoder, Protocol):
    """Kinds "static" and "dense": a vector a text. Whatever runs it."""

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> FloatArray:
        """float32 (len(texts), dim), rows of length 1, a zero row for a text the encoder sees nothing in."""

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Windows:
        """Vectors of length 1 of windows of every text; owners are rows of `texts`."""

    def word_weights(self, words: Sequence[str]) -> FloatArray:
        """How much each word says, float32 (len(words),), 0 or more: function words stay below 1. An encoder that
        does not know says 1 of every word."""


class PieceEncoder(Encoder, Protocol):
    """An encoder that reads texts as pieces of one vocabulary for all languages, whose numbers retrievers can index."""

    @property
    def vocabulary(self) -> str:
        """Fingerprint of the pieces and their numbers."""

    def pieces(self, texts: Sequence[str]) -> Bags:
        """The pieces of every text."""

    def windows(self, pieces: Bags) -> Windows:
        """What `encode_passages` gives for the texts of these pieces."""

    def query_pieces(self, text: str) -> QueryPieces:
        """The pieces of a query, what each says, and where it stands."""

    def pieces_around(self, texts: Sequence[str], wanted: Sequence[NDArray[np.integer]]) -> list[QueryPieces]:
        """Of every text, the pieces of the stretches between white space that hold one of those `wanted` of it."""

    def token_vectors(self, tokens: NDArray[np.integer]) -> FloatArray:
        """Vectors of pieces by number, float32 (n, dim); the length of a row is what the piece says."""

    def token_integers(self, tokens: NDArray[np.integer]) -> tuple[NDArray[np.int8], FloatArray]:
        """Vectors of pieces as whole numbers, int8 (n, d), |x| ≤ 127, and float32 (n,) what to multiply each row
        with. Dot products of such rows are those of the vectors; d need not be the encoder's dimension."""

    def begins_word(self, tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which pieces begin a word, bool (n,)."""


def has_pieces(encoder: Encoder) -> TypeGuard[PieceEncoder]:
    """Whether an encoder reads texts as pieces of a vocabulary."""
    return hasattr(encoder, "query_pieces")


class MultiVectorEncoder(AnyEncoder, Protocol):
    """Kind "multivector": a vector a token, for late interaction (Khattab and Zaharia 2020). A query's and a passage's
    score is  Σ_i max_j q_i · d_j  over the query's tokens i and the passage's tokens j."""

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> TokenVectors:
        """Vectors of the queries' tokens, those of query augmentation among them."""

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> TokenVectors:
        """Vectors of the passages' tokens that count (punctuation may not). A text longer than the encoder reads at
        once is read in windows, whose tokens are joined."""


class LocatingEncoder(MultiVectorEncoder, Protocol):
    """A multi-vector encoder that can tell which characters each of its vectors stands for."""

    def locate_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> list[LocatedTokens]:
        """What `encode_queries` makes of each text, located."""

    def locate_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> list[LocatedTokens]:
        """What `encode_passages` makes of each text, located."""


def locates(encoder: MultiVectorEncoder) -> TypeGuard[LocatingEncoder]:
    """Whether an encoder can tell where its tokens stand."""
    return hasattr(encoder, "locate_passages")


class SparseEncoder(AnyEncoder, Protocol):
    """Kind "sparse": learned weights of vocabulary entries, compared by dot product (SPLADE: Formal et al. 2021)."""

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> SparseVectors:
        """The queries' weights."""

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> SparseVectors:
        """The passages' weights; a long text's are the largest of its windows."""
