"""Segmentation of words by a unigram language model over subwords."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.bags import TokenBags
from xsearch.encode.lookup import Lookup
from xsearch.encode.stretches import Stretches
from xsearch.encode.viterbi import Lattice, compiled
from xsearch.encode.vocabulary import Pieces, Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START = "▁"
"""What precedes the first character of a word, so that pieces of a beginning differ from those of an inside."""

UNKNOWN = 0
UNKNOWN_PENALTY = 10.0
MANY_WORDS = 20_000
"""So many words, all calls together, pay for building the trie."""
SOME_WORDS = 5_000
"""So many, all calls together, pay for a dictionary of the pieces."""
SOME_CALLS = 300
"""So do so many calls for a few words each, as questions make them: what a call takes, however little it is asked, adds
up to what the dictionary takes."""
FEW_WORDS = 50
"""So few are segmented sooner one by one, with a dictionary, where no loops are compiled."""
REMEMBERED = 1 << 16
LONGEST_REMEMBERED = 40
"""Words, of so many characters at most, whose spelling is remembered."""
Spelled = Sequence[tuple[int, int, int]]


def unigram_tokenizer(pieces: Pieces) -> Tokenizer:
    """The model in the tokenizers library: it takes words that begin with `START`, separated by spaces."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.Unigram(list(pieces), UNKNOWN, False))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


class Unigram:
    """The most probable segmentation x of a word, argmax_x Σ log p(x_i) (Kudo 2018, "Subword regularization",
    equation 2), by Viterbi's algorithm.

    Piece 0 is the unknown, which any character without a piece of its own becomes. To make a dictionary of the pieces,
    or a trie, takes longer than to answer a question, so the first words are looked up among the bytes of the
    vocabulary (`lookup`); when more have come, few at a time are segmented with a dictionary and many with a trie. All
    give the same pieces, and those of the tokenizers library, which takes three times as long.
    """

    def __init__(self, pieces: Pieces) -> None:
        self._vocabulary = vocabulary = Vocabulary.of(pieces)
        self._unknown = vocabulary.least_score - UNKNOWN_PENALTY
        self._lookup = Lookup(vocabulary, self._unknown, UNKNOWN)
        self._spelled: dict[str, Spelled] = {}
        self._words_met = 0
        self._few_met = 0

    def segment_all(self, words: Sequence[str]) -> TokenBags:
        """The pieces of every word, those that mean something: neither `UNKNOWN` nor a lone `START`."""
        self._words_met += len(words)
        return self._without_silent(self._segmented(words))

    def segment_stretches(self, words: Stretches) -> TokenBags:
        """The same of words that stand in a text: many are not taken out of it first."""
        count = len(words.begins)
        if self._words_met + count < MANY_WORDS or count < FEW_WORDS:
            return self.segment_all(words.texts())
        self._words_met += count
        codes, _, starts = words.characters()
        codes = np.insert(codes, starts, ord(START))
        # As code points of strings are, so that loops are compiled once.
        codes.flags.writeable = False
        return self._without_silent(self._trie.segment_codes(codes, words.lengths + len(START)))

    def _without_silent(self, bags: TokenBags) -> TokenBags:
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
            end = begin + (len(self._vocabulary.spelling(piece)) if piece != UNKNOWN else 1)
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
            spelling = self._vocabulary.spelling(piece)
            end = begin + len(spelling) - spelling.startswith(START)
            spelled.append((piece, begin, end))
            begin = end
        return spelled if begin == size else None

    def segment(self, word: str) -> list[int]:
        """The pieces of `START` + word, those too that mean nothing."""
        self._words_met += 1
        pieces: list[int] = self._segmented([word]).tokens.tolist()
        return pieces

    def _segmented(self, words: Sequence[str]) -> TokenBags:
        if self._words_met >= MANY_WORDS and (len(words) >= FEW_WORDS or compiled()):
            return self._trie.segment([START + word for word in words])
        few = len(words) < FEW_WORDS
        self._few_met += few
        if not few or (self._words_met < SOME_WORDS and self._few_met <= SOME_CALLS):
            return self._lookup.segment([START + word for word in words])
        found = [self._by_dictionary(START + word) for word in words]
        sizes = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        pieces = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(sizes.sum()))
        return TokenBags(pieces, np.concatenate(([0], np.cumsum(sizes))))

    @cached_property
    def _trie(self) -> Lattice:
        vocabulary = self._vocabulary
        return Lattice(vocabulary.spellings, vocabulary.scores, self._unknown, UNKNOWN)

    def _by_dictionary(self, text: str) -> list[int]:
        size = len(text)
        numbers, longest, scores = self._numbers, self._longest, self._scores
        best: list[float] = [0.0] + [float("-inf")] * size
        piece_at = [UNKNOWN] * (size + 1)
        begin_of = [0] * (size + 1)
        for begin in range(size):
            score = best[begin]
            single = False
            last = min(begin + longest.get(text[begin], 0), size)
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

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return dict(zip(self._vocabulary.spellings, range(len(self._vocabulary)), strict=True))

    @cached_property
    def _longest(self) -> dict[str, int]:
        return self._vocabulary.longest()

    @cached_property
    def _scores(self) -> list[float]:
        scores: list[float] = self._vocabulary.scores.tolist()
        return scores

    @cached_property
    def _silent(self) -> NDArray[np.bool_]:
        """Which pieces mean nothing, bool (n,)."""
        silent = np.zeros(len(self._vocabulary), dtype=np.bool_)
        silent[UNKNOWN] = True
        # A vocabulary of one's own may lack it.
        if (lone := self._vocabulary.numbers([START])[0]) >= 0:
            silent[lone] = True
        return silent


def _trace(piece_at: list[int], begin_of: list[int]) -> list[int]:
    found: list[int] = []
    end = len(piece_at) - 1
    while end > 0:
        found.append(piece_at[end])
        end = begin_of[end]
    return found[::-1]
