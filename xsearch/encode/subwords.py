"""Subwords of texts: folded, cut into words, segmented, with a memory for the stretches that come again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from threading import Lock
from typing import cast

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.bags import TokenBags
from xsearch.encode.folding import fold, fold_all
from xsearch.encode.stretches import Stretches, StretchTable, with_room
from xsearch.encode.unigram import Unigram
from xsearch.encode.vocabulary import Pieces

REMEMBERED = 8_000_000
"""Characters of stretches remembered, about a million words."""
FEW_CHARACTERS = 4000
"""Texts of so many together, as a question is or the sentences of ten hits, are looked up stretch by stretch: numpy's
calls for all of them at once take ten times as long for the one and twice as long for the others."""
FEW_REMEMBERED = 1 << 15
"""Stretches of such texts that are remembered."""

Place = tuple[int, int, int]
"""A token, where it begins in a text, and where it ends, in code points."""


class Subwords:
    """Token numbers of texts. Safe to share between threads.

    Text is cut at white space, and each stretch is folded and segmented on its own, so that a stretch's tokens can be
    remembered: running text repeats its words, and looking one up is twenty times as fast as segmenting it.
    """

    def __init__(self, pieces: Pieces, remembered: int = REMEMBERED) -> None:
        self._most_remembered = remembered
        self._unigram = Unigram(pieces)
        self._forget()
        self._few: dict[str, list[int]] = {}
        self._laid: dict[str, list[Place]] = {}
        self._lock = Lock()

    def bags(self, texts: Sequence[str]) -> TokenBags:
        """Tokens of every text, in order; what the vocabulary cannot spell is left out."""
        if sum(map(len, texts)) <= FEW_CHARACTERS:
            split = [text.split() for text in texts]
            known = self._tokens_of(chain.from_iterable(split))
            found = [list(chain.from_iterable(map(known.__getitem__, own))) for own in split]
            sizes = _column(map(len, found), len(found))
            tokens = _column(chain.from_iterable(found), int(sizes.sum()))
            return TokenBags(tokens, np.concatenate(([0], np.cumsum(sizes))))
        stretches = Stretches.of(texts)
        return self._of_each(stretches).joined(stretches.counts)

    def places(self, text: str) -> list[Place]:
        """The tokens of `text`, in order, and where they stand."""
        found = []
        position = 0
        split = text.split()
        known = self._tokens_of(split)
        for stretch in split:
            position = text.index(stretch, position)
            found += self._spelled(stretch, position, known[stretch])
            position += len(stretch)
        return found

    def places_around(self, texts: Sequence[str], wanted: Sequence[NDArray[np.integer]]) -> list[list[Place]]:
        """Of the `places` of every text, those of the stretches between white space in which one of the tokens
        `wanted` of that text stands: to look tokens up costs a hundredth of finding their places."""
        stretches = Stretches.of(texts)
        bags = self._of_each(stretches)
        owners = np.repeat(np.arange(len(bags)), np.diff(bags.starts))
        first = np.concatenate(([0], np.cumsum(stretches.counts)))
        before = np.concatenate(([0], np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)))
        # Looked up by their numbers: to compare two lists takes sorting both.
        is_wanted = np.zeros(1 + max(int(tokens.max(initial=0)) for tokens in (bags.tokens, *wanted)), dtype=np.bool_)
        holders = [np.zeros(0, dtype=np.int64)]
        for row, tokens in enumerate(wanted):
            inside = slice(bags.starts[first[row]], bags.starts[first[row + 1]])
            is_wanted[tokens] = True
            holders.append(owners[inside][is_wanted.take(bags.tokens[inside])])
            is_wanted[tokens] = False
        numbers = np.concatenate(holders)
        numbers = numbers[np.diff(numbers, prepend=-1) > 0]
        cuts = np.searchsorted(numbers, first)
        chosen = stretches.take(numbers)
        begins = (chosen.begins - np.repeat(before[:-1], np.diff(cuts))).tolist()
        spelled = map(self._spelled, chosen.texts(), begins, bags.take(numbers).lists())
        return [list(chain.from_iterable(islice(spelled, count))) for count in np.diff(cuts).tolist()]

    def _tokens_of(self, stretches: Iterable[str]) -> dict[str, list[int]]:
        """The tokens of each of a few stretches without white space."""
        known = {stretch: self._few.get(stretch) for stretch in stretches}
        if new := [stretch for stretch, tokens in known.items() if tokens is None]:
            words = [folded.split() for folded in fold_all(new)]
            pieces = iter(self._unigram.segment_all(list(chain.from_iterable(words))).lists())
            found = {
                key: list(chain.from_iterable(islice(pieces, len(own)))) for key, own in zip(new, words, strict=True)
            }
            if len(self._few) >= FEW_REMEMBERED:
                self._few.clear()
            self._few.update(found)
            known |= found
        return cast(dict[str, list[int]], known)

    def _of_each(self, stretches: Stretches) -> TokenBags:
        """The tokens of every stretch."""
        with self._lock:
            if self._known.characters > self._most_remembered:
                self._forget()
            return self._known.of_each(stretches)

    def _spelled(self, stretch: str, position: int, tokens: Sequence[int]) -> list[Place]:
        """The tokens of a stretch that begins at `position`, where they stand; tokens: which they are."""
        known = self._laid.get(stretch)
        if known is None:
            words = fold(stretch)
            laid = self._unigram.laid(tokens, len(words[0].text)) if len(words) == 1 else None
            known = [
                (token, word.places[begin], word.places[end - 1] + 1)
                for word in words
                for token, begin, end in laid or self._unigram.spell(word.text)
            ]
            if len(self._laid) >= FEW_REMEMBERED:
                self._laid.clear()
            self._laid[stretch] = known
        return [(token, position + begin, position + end) for token, begin, end in known]

    def _segmented(self, stretches: Stretches) -> TokenBags:
        """The tokens of each stretch. A word stands in several (with a comma, in capitals) and is segmented once."""
        words = Stretches.of(fold_all(stretches.texts()))
        return self._words.of_each(words).joined(words.counts)

    def _forget(self) -> None:
        self._known = _Remembered(self._segmented)
        self._words = _Remembered(self._unigram.segment_stretches)


class _Remembered:
    """The tokens of stretches that were met before. compute: those of new ones, each another."""

    def __init__(self, compute: Callable[[Stretches], TokenBags]) -> None:
        self._compute = compute
        self._table, self._bags = StretchTable(), _Growing()

    @property
    def characters(self) -> int:
        """Characters of all stretches remembered."""
        return self._table.characters

    def of_each(self, stretches: Stretches) -> TokenBags:
        """The tokens of every stretch."""
        numbers = self._table.find(stretches)
        missing = np.flatnonzero(numbers < 0)
        if len(missing):
            unknown = stretches.take(missing)
            first, same = unknown.distinct()
            new = unknown.take(first)
            self._bags.add(self._compute(new))
            numbers[missing] = self._table.add(new)[same]
        return self._bags.bags.take(numbers)


class _Growing:
    """Bags that more are added to. Arrays have room to spare, so that adding seldom copies."""

    def __init__(self) -> None:
        self._count = 0
        self._tokens = np.zeros(1024, dtype=np.int64)
        self._starts = np.zeros(1024, dtype=np.int64)

    @property
    def bags(self) -> TokenBags:
        starts = self._starts[: self._count + 1]
        return TokenBags(self._tokens[: starts[-1]], starts)

    def add(self, bags: TokenBags) -> None:
        """Put `bags` behind those that are there."""
        count, first = self._count, int(self._starts[self._count])
        last = first + int(bags.starts[-1])
        self._tokens = with_room(self._tokens, last)
        self._tokens[first:last] = bags.tokens
        self._count = count + len(bags)
        self._starts = with_room(self._starts, self._count + 1)
        self._starts[count + 1 : self._count + 1] = first + bags.starts[1:]


def _column(values: Iterable[int], count: int) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64, count=count)
