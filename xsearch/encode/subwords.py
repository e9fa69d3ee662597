"""Subwords of texts: folded, cut into words, segmented, with a memory for the stretches that come again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.folding import fold
from xsearch.encode.unigram import Pieces, Unigram

REMEMBERED_LENGTH = 24
REMEMBERED = 400_000


@dataclass(frozen=True, eq=False)
class TokenBags:
    """Tokens of texts: those of text i are ``tokens[starts[i]:starts[i + 1]]``. Both int64."""

    tokens: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1


class Subwords:
    """Token numbers of texts. Safe to share between threads.

    Text is cut at white space, and each stretch is folded and segmented on its own, so that a stretch's tokens can be
    remembered: running text repeats its words, and looking one up is twenty times as fast as segmenting it.
    """

    def __init__(self, pieces: Pieces, remembered: int = REMEMBERED) -> None:
        self._most_remembered = remembered
        self._unigram = Unigram(pieces)
        self._remembered: dict[str, tuple[int, ...]] = {}

    def bags(self, texts: Sequence[str]) -> TokenBags:
        """Tokens of every text, in order; what the vocabulary cannot spell is left out."""
        split = [text.split() for text in texts]
        known = self._tokens_of(set(chain.from_iterable(split)))
        found = [list(chain.from_iterable(map(known.__getitem__, stretches))) for stretches in split]
        starts = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum([len(tokens) for tokens in found], out=starts[1:])
        return TokenBags(np.fromiter(chain.from_iterable(found), dtype=np.int64, count=starts[-1]), starts)

    def places(self, text: str) -> list[tuple[int, int, int]]:
        """(token, start, end) of the tokens of `text`, in order; places are code points of the text."""
        found = []
        position = 0
        for stretch in text.split():
            position = text.index(stretch, position)
            for word in fold(stretch):
                for token, begin, end in self._unigram.spell(word.text):
                    found.append((token, position + word.places[begin], position + word.places[end - 1] + 1))
            position += len(stretch)
        return found

    def _tokens_of(self, stretches: set[str]) -> dict[str, tuple[int, ...]]:
        """Tokens of every stretch: a mapping that holds these stretches and perhaps more."""
        remembered = self._remembered
        missing = [stretch for stretch in stretches if stretch not in remembered]
        if not missing:
            return remembered
        fresh = self._segment_stretches(missing)
        short = {stretch: tokens for stretch, tokens in fresh.items() if len(stretch) <= REMEMBERED_LENGTH}
        known = {**{s: remembered[s] for s in stretches if s in remembered}, **fresh}
        if len(remembered) + len(short) > self._most_remembered:
            # A new table rather than an emptied one: another thread may be reading the old.
            self._remembered = short
        else:
            remembered.update(short)
        return known

    def _segment_stretches(self, stretches: list[str]) -> dict[str, tuple[int, ...]]:
        words = [[word.text for word in fold(stretch)] for stretch in stretches]
        different = list(dict.fromkeys(chain.from_iterable(words)))
        tokens = dict(zip(different, self._unigram.segment_all(different), strict=True))
        return {
            stretch: tuple(chain.from_iterable(tokens[word] for word in found))
            for stretch, found in zip(stretches, words, strict=True)
        }
