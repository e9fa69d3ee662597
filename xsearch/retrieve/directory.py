"""The words of all languages of a names index in one order, and what a word of a query may be among them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray, Mask, Spelling
from xsearch.core.order import distinct
from xsearch.lang.alike import Asked, Codes, Keys, Words, likely, loaded
from xsearch.lang.compounds import COMPOUNDING, HEAD, MODIFIER, parts
from xsearch.lang.compounds import SHORTEST as SHORTEST_PART
from xsearch.lang.romanise import FAMILIES, SKELETON, codes_of, skeleton, sound_key
from xsearch.retrieve.best import Best, best_of_groups
from xsearch.retrieve.compound_words import CompoundWords
from xsearch.retrieve.forms import Forms
from xsearch.retrieve.gaps import decode
from xsearch.retrieve.skeletons import SHORTEST, count_consonants, neighbours

PRIOR = 0.0
"""Log-odds that are asked for beyond ln T: among T words that stand in passages some sound alike by chance."""
SOFTNESS = 2.0
UNLIKELY = 0.1
"""Words of a lower probability are left alone."""
REMEMBERED = 4096
"""Words of queries whose matches are kept."""

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that is open: its language's place, the passage it starts with, passages of the language in it."""

    language: int
    first: int
    passages: int
    forms: Forms


@dataclass(frozen=True, slots=True)
class Near:
    """A word that may be meant: its form, the probability, and the passages that have it."""

    form: str
    probability: float
    frequency: int


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Words that a spelling can stand for: int64 (n,) places in the directory, and probabilities, float64 (n,)."""

    words: IntArray
    probabilities: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Passages that have words of a query: numbers int64 (n,) ascending, scores float32 (n,), places of languages
    uint16 (n,)."""

    passages: IntArray
    scores: FloatArray
    languages: NDArray[np.uint16]

    def best(self, languages: NDArray[np.bool_], depth: int, allowed: Mask | None) -> Best:
        """The best `depth` allowed passages of each of some languages, told by their places, all in one order."""
        chosen = languages[self.languages]
        if allowed is not None:
            chosen &= allowed[self.passages]
        passages, scores = self.passages[chosen], self.scores[chosen]
        best = best_of_groups(self.languages[chosen], scores, depth)
        return Best(passages[best], scores[best])


def _likelier(*found: Matches) -> Matches:
    """All the words, each with the largest of its probabilities."""
    words = np.concatenate([matches.words for matches in found])
    probabilities = np.concatenate([matches.probabilities for matches in found])
    each, _, row = distinct(words)
    largest = np.zeros(len(each))
    np.maximum.at(largest, row, probabilities)
    return Matches(each, largest)


class Directory:
    """The words of `segments` by skeleton. languages: codes, by place."""

    def __init__(self, segments: Sequence[Segment], codes: Sequence[str]) -> None:
        self._segments = segments
        languages = len(codes)
        self._codes = tuple(codes)
        self._compounding = np.array([code in COMPOUNDING for code in codes])
        forms = [segment.forms for segment in segments]
        sizes = [len(part) for part in forms]
        skeletons = np.concatenate([part.skeletons for part in forms])
        # Each segment is in order: a stable sort merges runs.
        order = np.argsort(skeletons, kind="stable")
        self._skeletons = skeletons[order]
        is_new = np.ones(len(skeletons), dtype=np.bool_)
        np.not_equal(self._skeletons[1:], self._skeletons[:-1], out=is_new[1:])
        self._first_of = np.append(np.flatnonzero(is_new), len(skeletons))
        self._distinct = self._skeletons[is_new]
        self._segment = np.repeat(np.arange(len(segments)), sizes).astype(np.uint16)[order]
        self._word = np.concatenate([np.arange(size, dtype=np.uint32) for size in sizes])[order]
        self._frequencies = np.concatenate([part.frequencies for part in forms])[order]
        before = np.cumsum([0, *(len(part.keys) for part in forms)])
        starts = np.concatenate([part.key_starts[:-1] + base for part, base in zip(forms, before[:-1], strict=True)])
        lengths = np.concatenate([np.diff(part.key_starts) for part in forms])[order].astype(np.int64)
        families = np.concatenate([part.families for part in forms])[order]
        self._keys = Keys(np.concatenate([part.keys for part in forms]), starts[order], lengths, families)
        self._language_of_segment = np.array([segment.language for segment in segments])
        occurrences = [float(part.frequencies.sum(dtype=np.int64)) for part in forms]
        self._chance = np.log1p(np.bincount(self._language_of_segment, occurrences, languages)) + PRIOR
        # Less a little for sums in float32.
        least = self._chance + SOFTNESS * np.log(UNLIKELY / (1.0 - UNLIKELY)) - 0.01
        self._words = Words(
            self._keys, self._skeletons, self._segment, least[self._language_of_segment], order.astype(np.uint32)
        )
        self._passages = np.bincount(self._language_of_segment, [s.passages for s in segments], languages)
        self._known: dict[tuple[str, str, str, str], Matches] = {}

    def matches(self, spelling: Spelling) -> Matches:
        """The words that are likely `spelling`. Where a language has the very word, none other of its family is."""
        # A cache that held a method of this object would keep its files mapped until the collector comes.
        asked = spelling.form, spelling.key, spelling.family, spelling.among
        found = self._known.get(asked)
        if found is None:
            found = self._find(*asked)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[asked] = found
        return found

    def idf(self, found: Sequence[Matches]) -> Float64Array:
        """Of every spelling in every language, float64 (spellings, languages), by the passages expected to have it."""
        languages = len(self._passages)
        expected = np.zeros((len(found), languages))
        for row, match in enumerate(found):
            counts = match.probabilities * self._frequencies[match.words]
            expected[row] = np.bincount(self._language(match.words), counts, languages)
        expected = np.minimum(expected, self._passages)
        idf: Float64Array = np.log(1.0 + (self._passages - expected + 0.5) / (expected + 0.5))
        return idf

    def hits(self, found: Sequence[Matches], worth: Float64Array) -> Hits:
        """All passages with words of the query; a passage has of each spelling the likeliest word it has. worth:
        float64 (spellings, languages)."""
        words = np.concatenate([match.words for match in found])
        probabilities = np.concatenate([match.probabilities for match in found])
        spellings = np.repeat(np.arange(len(found)), [len(match.words) for match in found])
        values = probabilities * worth[spellings, self._language(words)]
        # Of what is written to one place the last stays, the likeliest; and a place is added to once at a time.
        order = np.lexsort((values, spellings))
        words, spellings, values = words[order], spellings[order], values[order]
        passages, counts = self._postings(words)
        numbers, first, rows = distinct(passages)
        values = np.repeat(values, counts)
        ends = np.cumsum(np.bincount(spellings, counts, len(found))).astype(np.int64)
        best, scores = np.empty(len(numbers)), np.zeros(len(numbers))
        for begin, end in pairwise([0, *ends.tolist()]):
            own = rows[begin:end]
            best[own] = values[begin:end]
            scores[own] += best[own]
        languages = np.repeat(self._language(words), counts)[first]
        return Hits(numbers, scores.astype(np.float32), languages.astype(np.uint16))

    def knows(self, spelling: Spelling) -> bool:
        """Whether a language has the very word: none is nearer."""
        match = self.matches(spelling)
        sure = match.words[match.probabilities == 1.0]
        return bool((self._keys.families[sure] == FAMILIES.index(spelling.family)).any())

    def near(self, spelling: Spelling, most: int, langs: Collection[str] | None = None) -> list[Near]:
        """Words of the spelling's own family that it may be, likeliest first: of `langs` (of all where None), and the
        very word in whatever language."""
        match = self.matches(spelling)
        own = self._keys.families[match.words] == FAMILIES.index(spelling.family)
        if langs is not None:
            spoken = np.array([code in langs for code in self._codes], dtype=np.bool_)
            own &= spoken[self._language(match.words)] | (match.probabilities == 1.0)
        found: dict[str, Near] = {}
        for word, probability in zip(match.words[own].tolist(), match.probabilities[own].tolist(), strict=True):
            form, frequency = self._form(word), int(self._frequencies[word])
            known = found.get(form)
            if known:
                probability, frequency = max(probability, known.probability), frequency + known.frequency
            found[form] = Near(form, probability, frequency)
        return sorted(found.values(), key=lambda near: (-near.probability, -near.frequency, near.form))[:most]

    def _find(self, form: str, key: str, family: str, among: str) -> Matches:
        asked = self._asked(key, family, among)
        near = self._ranges(neighbours(frozenset((skeleton(key), skeleton(key, vowelless=True)))))
        words, odds = likely(asked, self._words, near)
        probabilities = 1.0 / (1.0 + np.exp((self._chance[self._language(words)] - odds) / SOFTNESS))
        # The very word, whatever its consonants: abjads have skeletons without v, what is asked has one with it.
        own = self._written(form, asked.key, family, skeleton(key, family == "a"))
        own = own[asked.kinds[self._keys.families[own]]]
        known = np.zeros(len(self._codes), dtype=np.bool_)
        known[self._language(own)] = True
        other = (self._keys.families[words] != FAMILIES.index(family)) | ~known[self._language(words)]
        kept = other & (probabilities >= UNLIKELY)
        found = Matches(words[kept], probabilities[kept])
        if len(own):
            # No word is in both.
            both = np.concatenate((found.words, own))
            order = np.argsort(both)
            found = Matches(both[order], np.concatenate((found.probabilities, np.ones(len(own))))[order])
        lacking = self._compounding & ~known
        if family == "l" and form and lacking.any() and len(form) >= SHORTEST_PART:
            found = _likelier(found, self._compounds(form, lacking), self._parts(form, lacking))
        return found

    def _ranges(self, skeletons: NDArray[np.uint32]) -> IntArray:
        """Where the words of skeletons begin, or would, of the same shape."""
        # Distinct ones are few enough to stay in a processor's cache.
        found: IntArray = self._first_of[self._distinct.searchsorted(skeletons)]
        return found

    def _asked(self, key: str, family: str, among: str) -> Asked:
        kinds = np.array([not among or kind in among for kind in FAMILIES])
        own = skeleton(key)
        consonants = count_consonants(own)
        shift = 3 * (SKELETON - consonants)
        return Asked(codes_of([key])[0].astype(np.uint8), family, kinds, own >> shift, shift, consonants > SHORTEST)

    def _compounds(self, form: str, languages: NDArray[np.bool_]) -> Matches:
        """The words of some languages that are put together with `form`, as their head or before it."""
        found, shares = self._compound_words.with_part(form.encode())
        words = self._compounding_words[found]
        chosen = languages[self._language(words)]
        return Matches(words[chosen], shares[chosen])

    def _parts(self, form: str, languages: NDArray[np.bool_]) -> Matches:
        """Words of some languages that `form` may be put together of: the longest head and what begins it longest."""
        found = [Matches(np.zeros(0, np.int64), np.zeros(0))]
        missing = {HEAD: languages.copy(), MODIFIER: languages.copy()}
        for part, share in parts(form):
            key = sound_key(part)
            words = self._written(part, codes_of([key])[0].astype(np.uint8), "l", skeleton(key))
            words = words[missing[share][self._language(words)]]
            missing[share][self._language(words)] = False
            found.append(Matches(words, np.full(len(words), share)))
        return Matches(np.concatenate([m.words for m in found]), np.concatenate([m.probabilities for m in found]))

    @cached_property
    def _compound_words(self) -> CompoundWords:
        return CompoundWords([s.forms for s in self._segments if self._compounding[s.language]])

    @cached_property
    def _compounding_words(self) -> IntArray:
        """Where the words of languages that write compounds as one word, by segment and place there, stand in the
        directory."""
        own = np.flatnonzero(self._compounding[self._language_of_segment[self._segment]])
        return own[np.lexsort((self._word[own], self._segment[own]))]

    def _written(self, form: str, key: Codes, family: str, number: int) -> IntArray:
        """The words that are written as `form`, of this key and skeleton."""
        begin, end = self._ranges(np.array([number, number + 1], dtype=np.uint32)).tolist()
        words = self._words.of_key(key, family, begin, end)
        written = form.encode()
        segments = zip(self._segment[words].tolist(), self._word[words].tolist(), strict=True)
        found: IntArray = words[[self._segments[segment].forms.written(word) == written for segment, word in segments]]
        return found

    def _language(self, words: IntArray) -> IntArray:
        found: IntArray = self._language_of_segment[self._segment[words]]
        return found

    def _form(self, word: int) -> str:
        segment = self._segments[int(self._segment[word])]
        return segment.forms.form(int(self._word[word]))

    def _postings(self, words: IntArray) -> tuple[IntArray, IntArray]:
        """The passages of words, one list after the other, and how many each has."""
        if not len(words):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        if loaded() is not None:
            from xsearch.retrieve.gaps_numba import passages_of

            found: tuple[IntArray, IntArray] = passages_of(self._lists, self._segment[words], self._word[words])
            return found
        parts, firsts = [], []
        opened = [(s.forms.postings, s.forms.posting_starts.item, s.first) for s in self._segments]
        for segment, word in zip(self._segment[words].tolist(), self._word[words].tolist(), strict=True):
            postings, start, first = opened[segment]
            parts.append(postings[start(word) : start(word + 1)])
            firsts.append(first)
        offsets, ends = decode(np.concatenate(parts), np.cumsum([0, *map(len, parts)]))
        counts = np.diff(ends)
        return offsets + np.repeat(firsts, counts), counts

    @cached_property
    def _lists(self) -> IntArray:
        """Where the segments' postings lie, as compiled loops take them: int64 (segments, 5)."""
        rows = []
        for segment in self._segments:
            starts, postings = segment.forms.posting_starts, segment.forms.postings
            addresses = [array.__array_interface__["data"][0] for array in (starts, postings)]
            rows.append([*addresses, len(segment.forms), len(postings), segment.first])
        return np.array(rows, dtype=np.int64)
