"""Subwords of texts: folded, cut into words, segmented, with a memory for the stretches that come again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.bags import TokenBags
from xsearch.encode.folding import fold, fold_all
from xsearch.encode.unigram import Pieces, Unigram

REMEMBERED = 4_000_000
"""Characters of stretches remembered, about half a million words."""


class Subwords:
    """Token numbers of texts. Safe to share between threads.

    Text is cut at white space, and each stretch is folded and segmented on its own, so that a stretch's tokens can be
    remembered: running text repeats its words, and looking one up is twenty times as fast as segmenting it.
    """

    def __init__(self, pieces: Pieces, remembered: int = REMEMBERED) -> None:
        self._most_remembered = remembered
        self._unigram = Unigram(pieces)
        self._forget()
        self._lock = Lock()

    def bags(self, texts: Sequence[str]) -> TokenBags:
        """Tokens of every text, in order; what the vocabulary cannot spell is left out."""
        split = [text.split() for text in texts]
        stretches = list(chain.from_iterable(split))
        with self._lock:
            if self._stretches.characters > self._most_remembered:
                self._forget()
            numbers = self._stretches.numbers
            # One look-up each, not two: in so large a table it is memory that takes the time.
            known = list(map(numbers.get, stretches))
            if None in known:
                pairs = zip(stretches, known, strict=True)
                missing = list(dict.fromkeys(stretch for stretch, number in pairs if number is None))
                self._stretches.add(missing, self._segmented(missing))
                pairs = zip(stretches, known, strict=True)
                known = [numbers[stretch] if number is None else number for stretch, number in pairs]
            tokens = self._stretches.bags.take(np.array(known, dtype=np.int64))
        return tokens.joined(_column(map(len, split), len(split)))

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

    def _segmented(self, stretches: Sequence[str]) -> TokenBags:
        """The tokens of each stretch. A word stands in several (with a comma, in capitals) and is segmented once."""
        words = fold_all(stretches)
        numbers = self._words.numbers
        if missing := [word for word in dict.fromkeys(chain.from_iterable(words)) if word not in numbers]:
            self._words.add(missing, self._unigram.segment_all(missing))
        counts = _column(map(len, words), len(words))
        rows = _column(map(numbers.__getitem__, chain.from_iterable(words)), int(counts.sum()))
        return self._words.bags.take(rows).joined(counts)

    def _forget(self) -> None:
        self._stretches, self._words = _Memory(), _Memory()


class _Memory:
    """Stretches, numbered as they came, and their bags. Arrays have room to spare, so that adding seldom copies."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.characters = 0
        self._tokens = np.zeros(1024, dtype=np.int64)
        self._starts = np.zeros(1024, dtype=np.int64)

    @property
    def bags(self) -> TokenBags:
        starts = self._starts[: len(self.numbers) + 1]
        return TokenBags(self._tokens[: starts[-1]], starts)

    def add(self, stretches: Sequence[str], bags: TokenBags) -> None:
        """Remember new stretches and the bag of each."""
        count = len(self.numbers)
        first, last = int(self._starts[count]), int(self._starts[count] + bags.starts[-1])
        self._tokens = _with_room(self._tokens, last)
        self._tokens[first:last] = bags.tokens
        self._starts = _with_room(self._starts, count + len(stretches) + 1)
        self._starts[count + 1 : count + len(stretches) + 1] = first + bags.starts[1:]
        self.numbers.update(zip(stretches, range(count, count + len(stretches)), strict=True))
        self.characters += sum(map(len, stretches))


def _with_room(held: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The array, or a longer one that begins with it, of at least `size` elements."""
    if size <= len(held):
        return held
    return np.concatenate((held, np.zeros(max(size, 2 * len(held)) - len(held), dtype=held.dtype)))


def _column(values: Iterable[int], count: int) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64, count=count)
