"""Segmentation that looks up every stretch of a word: nothing has to be built for it, as a question has few words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from xsearch.encode.bags import TokenBags
from xsearch.encode.viterbi import best_way
from xsearch.encode.vocabulary import WORD, Bytes, Integers, Vocabulary

MOST_CHARACTERS = 1 << 13
"""Of words looked up together, unless one has more."""
CONTINUES = 0b1000_0000
"""The first two bits of a byte of UTF-8 that begins no character."""


class Lookup:
    """The best segmentations of words into pieces, as `viterbi.Lattice` finds them.

    unknown: what a character that no piece is alone costs, and `unknown_piece` the piece it becomes.
    """

    def __init__(self, vocabulary: Vocabulary, unknown: float, unknown_piece: int) -> None:
        self._vocabulary, self._unknown, self._unknown_piece = vocabulary, unknown, unknown_piece

    def segment(self, words: Sequence[str]) -> TokenBags:
        """The pieces of the best segmentation of every word; none of a word is empty."""
        found = [self._segmented(block) for block in _blocks(words)]
        if not found:
            return TokenBags(np.empty(0, np.int64), np.zeros(1, np.int64))
        sizes = np.concatenate([np.diff(bags.starts) for bags in found])
        return TokenBags(np.concatenate([bags.tokens for bags in found]), np.concatenate(([0], np.cumsum(sizes))))

    def _segmented(self, words: Sequence[str]) -> TokenBags:
        lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        text = "".join(words).encode("utf-8", "surrogatepass")
        codes = np.frombuffer(text, dtype=np.uint8)
        # Where each character begins among the bytes, and where the last ends.
        places = np.append(np.flatnonzero(codes & 0b1100_0000 != CONTINUES), len(codes))
        begins, sizes = self._stretches(places, lengths)
        bytes_before = places[begins]
        pieces = self._vocabulary.find(Bytes(text + bytes(WORD)), bytes_before, places[begins + sizes] - bytes_before)
        edges = np.flatnonzero((pieces >= 0) | (sizes == 1))
        pieces = pieces[edges]
        scores = np.where(pieces >= 0, self._vocabulary.scores_of(pieces), self._unknown)
        pieces[pieces < 0] = self._unknown_piece
        return best_way(begins[edges], sizes[edges], pieces, scores, lengths)

    def _stretches(self, places: Integers, lengths: Integers) -> tuple[Integers, Integers]:
        """(begin, size), in characters, of all stretches within words that are no longer than the longest piece; of one
        character, whatever its length."""
        most = self._vocabulary.most_bytes
        ends = np.repeat(np.cumsum(lengths), lengths)
        left = np.arange(len(ends))
        found = []
        size = 1
        while len(left):
            found.append((left, np.full(len(left), size)))
            size += 1
            left = left[left + size <= ends[left]]
            left = left[places[left + size] - places[left] <= most]
        begins, sizes = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return begins, sizes


def _blocks(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """The words, so many at a time that their stretches take little memory."""
    begin = characters = 0
    for end, word in enumerate(words):
        if characters and characters + len(word) > MOST_CHARACTERS:
            yield words[begin:end]
            begin, characters = end, 0
        characters += len(word)
    if begin < len(words):
        yield words[begin:]
