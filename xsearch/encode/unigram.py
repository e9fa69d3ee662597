"""Segmentation of words by a unigram language model over subwords."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.bags import TokenBags
from xsearch.encode.viterbi import Lattice, compiled

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START = "▁"
"""What precedes the first character of a word, so that pieces of a beginning differ from those of an inside."""

UNKNOWN = 0
UNKNOWN_PENALTY = 10.0
MANY_WORDS = 20_000
"""So many words, all calls together, pay for building the trie."""
SOME_WORDS = 5_000
"""So many, all calls together, pay for looking up how long pieces can be."""
FEW_WORDS = 50
"""So few are segmented sooner one by one, where no loops are compiled."""
REMEMBERED = 1 << 16
LONGEST_REMEMBERED = 40
"""Words, of so many characters at most, whose spelling is remembered."""
Pieces = Sequence[tuple[str, float]]
Spelled = Sequence[tuple[int, int, int]]


class Vocabulary(Sequence[tuple[str, float]]):
    """Pieces as two columns, which a quarter of a million are read into in a tenth of the time that pairs take.

    spellings: of each piece; where one stands twice, the last counts. scores: log probabilities, float64 (n,).
    """

    def __init__(self, spellings: list[str], scores: NDArray[np.float64]) -> None:
        self.spellings, self.scores = spellings, scores

    @staticmethod
    def of(pieces: Pieces) -> Vocabulary:
        """Of pairs, or the vocabulary itself."""
        if isinstance(pieces, Vocabulary):
            return pieces
        return Vocabulary([piece for piece, _ in pieces], np.array([score for _, score in pieces], dtype=np.float64))

    def __len__(self) -> int:
        return len(self.spellings)

    @overload
    def __getitem__(self, number: int) -> tuple[str, float]: ...
    @overload
    def __getitem__(self, number: slice) -> list[tuple[str, float]]: ...
    def __getitem__(self, number: int | slice) -> tuple[str, float] | list[tuple[str, float]]:
        if isinstance(number, slice):
            return list(zip(self.spellings[number], self.scores[number].tolist(), strict=True))
        return self.spellings[number], float(self.scores[number])

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return zip(self.spellings, self.scores.tolist(), strict=True)

    @cached_property
    def most(self) -> int:
        """The length of the longest piece."""
        return max(map(len, self.spellings), default=0)

    def longest(self) -> dict[str, int]:
        """By first character, the length of the longest piece that begins with it."""
        longest: dict[str, int] = {}
        for spelling in self.spellings:
            if len(spelling) > longest.get(spelling[:1], 0):
                longest[spelling[0]] = len(spelling)
        return longest


def unigram_tokenizer(pieces: Pieces) -> Tokenizer:
    """The model in the tokenizers library: it takes words that begin with `START`, separated by spaces."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.Unigram(list(pieces), UNKNOWN, False))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


class Unigram:
    """The most probable segmentation x of a word, argmax_x Σ log p(x_i) (Kudo 2018, "Subword regularization",
    equation 2), by Viterbi's algorithm.

    Piece 0 is the unknown, which any character without a piece of its own becomes. Building a trie of the pieces takes
    longer than answering a query may, so few words are segmented one by one and the trie is built when many come; both
    give the same pieces, and those of the tokenizers library, which takes three times as long.
    """

    def __init__(self, pieces: Pieces) -> None:
        self._vocabulary = vocabulary = Vocabulary.of(pieces)
        self._numbers = dict(zip(vocabulary.spellings, range(len(vocabulary)), strict=True))
        self._scores: list[float] = vocabulary.scores.tolist()
        self._unknown = float(vocabulary.scores.min()) - UNKNOWN_PENALTY
        self._longest: dict[str, int] | None = None
        self._silent = np.zeros(len(vocabulary), dtype=np.bool_)
        self._silent[[UNKNOWN, self._numbers.get(START, UNKNOWN)]] = True
        self._lattice: Lattice | None = None
        self._spelled: dict[str, Spelled] = {}
        self._words_met = 0

    def segment_all(self, words: Sequence[str]) -> TokenBags:
        """The pieces of every word, those that mean something: neither `UNKNOWN` nor a lone `START`."""
        bags = self._segmented(words)
        heard = ~self._silent[bags.tokens]
        return TokenBags(bags.tokens[heard], np.concatenate(([0], np.cumsum(heard)))[bags.starts])

    def spell(self, word: str) -> Spelled:
        """(piece, begin, end) of the pieces that `segment_all` gives; places are characters of `word`."""
        known = self._spelled.get(word)
        if known is not None:
            return known
        spelled = []
        begin = -len(START)
        for piece in self.segment(word):
            end = begin + (len(self._vocabulary.spellings[piece]) if piece != UNKNOWN else 1)
            if piece != UNKNOWN and end > 0:
                spelled.append((piece, max(begin, 0), end))
            begin = end
        if len(self._spelled) >= REMEMBERED:
            self._spelled.clear()
        if len(word) <= LONGEST_REMEMBERED:
            self._spelled[word] = spelled
        return spelled

    def laid(self, pieces: Sequence[int], size: int) -> Spelled | None:
        """`spell` of a word of `size` characters whose pieces, as `segment_all` gives them, are known; None where they
        do not fill it: a character that has no piece was left out."""
        spelled = []
        begin = 0
        for piece in pieces:
            spelling = self._vocabulary.spellings[piece]
            end = begin + len(spelling) - spelling.startswith(START)
            spelled.append((piece, begin, end))
            begin = end
        return spelled if begin == size else None

    def _segmented(self, words: Sequence[str]) -> TokenBags:
        self._words_met += len(words)
        if self._words_met < MANY_WORDS or (len(words) < FEW_WORDS and not compiled()):
            found = [self.segment(word) for word in words]
            sizes = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
            pieces = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(sizes.sum()))
            return TokenBags(pieces, np.concatenate(([0], np.cumsum(sizes))))
        if self._lattice is None:
            self._lattice = Lattice(self._vocabulary.spellings, self._scores, self._unknown, UNKNOWN)
        return self._lattice.segment([START + word for word in words])

    def segment(self, word: str) -> list[int]:
        """The pieces of `START` + word, those too that mean nothing."""
        text = START + word
        size = len(text)
        numbers, scores = self._numbers, self._scores
        if self._longest is None and self._words_met > SOME_WORDS:
            self._longest = self._vocabulary.longest()
        # The first questions do without: one bound for all pieces, and none for a short word, is soon found.
        longest, most = self._longest, size if size <= LONGEST_REMEMBERED else self._vocabulary.most
        best: list[float] = [0.0] + [float("-inf")] * size
        piece_at = [UNKNOWN] * (size + 1)
        begin_of = [0] * (size + 1)
        for begin in range(size):
            score = best[begin]
            single = False
            last = min(begin + (most if longest is None else longest.get(text[begin], 0)), size)
            for end in range(begin + 1, last + 1):
                number = numbers.get(text[begin:end])
                if number is None:
                    continue
                single = single or end == begin + 1
                candidate = score + scores[number]
                if candidate > best[end]:
                    best[end], piece_at[end], begin_of[end] = candidate, number, begin
            if not single and score + self._unknown > best[begin + 1]:
                best[begin + 1], piece_at[begin + 1], begin_of[begin + 1] = score + self._unknown, UNKNOWN, begin
        return _trace(piece_at, begin_of)


def _trace(piece_at: list[int], begin_of: list[int]) -> list[int]:
    found: list[int] = []
    end = len(piece_at) - 1
    while end > 0:
        found.append(piece_at[end])
        end = begin_of[end]
    return found[::-1]
