"""What retrievers are handed on the way in: numbered passages with their terms and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]
"""Allowed passages: element `p` says whether passage number `p` may be returned. Shape (high-water mark,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Vectors of stretches of passages, several a passage, rows of one passage adjacent.

    vectors: float32 (m, dim), unit length. owners: int64 (m,), ascending; the row of the batch (or, once numbered,
    the passage number) that each vector belongs to.
    """

    vectors: FloatArray
    owners: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Bags:
    """Pieces of many texts in two arrays: those of text i, in its order, are ``tokens[starts[i]:starts[i + 1]]``.

    tokens: int32 (m,), numbers of the encoder's vocabulary. starts: int64 (n + 1,), from 0 to m. words: int64 (w,),
    the places of `tokens` at which words begin, ascending, or None where nobody asks.
    """

    tokens: NDArray[np.int32]
    starts: IntArray
    words: IntArray | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """A vector of every token of every text.

    vectors: float32 (m, dim), unit length. starts: int64 (n + 1,): text i has rows `starts[i]` to `starts[i + 1]`.
    """

    vectors: FloatArray
    starts: IntArray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, text: int) -> FloatArray:
        """The vectors of one text, float32 (tokens, dim)."""
        return self.vectors[self.starts[text] : self.starts[text + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class LocatedTokens:
    """The vectors of one text's tokens, and where each stands.

    vectors: float32 (m, dim), unit length. spans: int64 (m, 2), start and end in the text, in code points; -1, -1 for a
    token that spells nothing of it (special tokens, markers, prefixes, what augments a query).
    """

    vectors: FloatArray
    spans: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class SparseVectors:
    """Weights of vocabulary entries, a row a text, as compressed sparse rows.

    starts: int64 (n + 1,): text i has the entries `starts[i]` to `starts[i + 1]`. terms: int32 (m,), numbers of the
    encoder's vocabulary, ascending within a text. weights: float32 (m,), above 0. Texts compare by dot product.
    """

    starts: IntArray
    terms: NDArray[np.int32]
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, slots=True, eq=False)
class QuestionTerms:
    """Questions generated from passages, a row for each passage and language.

    owners: int64 (m,), ascending passage numbers. langs: the questions' languages, m. terms: analyzed, all of a row's
    questions joined by single spaces.
    """

    owners: IntArray
    langs: Sequence[str]
    terms: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class PassageBatch:
    """Passages in ascending number.

    numbers: int64 (n,). langs: a language code each. terms: the analyzed body of each passage (title included),
    joined by single spaces. title_terms: the analyzed title alone, "" where there is none. windows: vectors whose
    owners are passage numbers, or None for an index without a dense retriever. pieces: of each passage, title first,
    or None for an index none of whose retrievers reads them. forms: the words of title and body as they are spelt,
    each once (`lang.wordforms`), joined by single spaces, or None for an index without names. weights, token_vectors:
    what neural encoders of the kinds "sparse" and "multivector" make of each passage, None likewise. texts: each
    passage as it is written, its title before it, or None for an index none of whose retrievers analyzes it itself.
    questions: those generated from the passages, None where there are none. expected: counts of query pieces
    (`retrieve.expected`), or None for an index that translates queries when they are asked.
    """

    numbers: IntArray
    langs: Sequence[str]
    terms: Sequence[str]
    title_terms: Sequence[str]
    windows: Windows | None = None
    pieces: Bags | None = None
    forms: Sequence[str] | None = None
    weights: SparseVectors | None = None
    token_vectors: TokenVectors | None = None
    texts: Sequence[str] | None = None
    questions: QuestionTerms | None = None
    expected: SparseVectors | None = None

    def __len__(self) -> int:
        return len(self.numbers)
