"""The words of all languages of a names index in one order, and what a word of a query may be among them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray, Mask, Spelling
from xsearch.lang.alike import Keys, odds_above
from xsearch.lang.compounds import COMPOUNDING, HEAD, MODIFIER, compound_share, parts
from xsearch.lang.compounds import SHORTEST as SHORTEST_PART
from xsearch.lang.romanise import FAMILIES, codes_of, skeleton, sound_key
from xsearch.retrieve.best import Best
from xsearch.retrieve.forms import Forms
from xsearch.retrieve.gaps import Bytes, decode
from xsearch.retrieve.skeletons import SHORTEST, count_consonants, neighbours

PRIOR = 0.0
"""Log-odds that are asked for beyond ln T: among T words that stand in passages some sound alike by chance."""
SOFTNESS = 2.0
UNLIKELY = 0.1
"""Words of a lower probability are left alone."""
REMEMBERED = 1024
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
    """Passages that have words of a query: numbers int64 (n,), scores float32 (n,), places of languages int64 (n,)."""

    passages: IntArray
    scores: FloatArray
    languages: IntArray

    def best(self, language: int, depth: int, allowed: Mask | None) -> Best:
        """The best `depth` allowed passages of a language."""
        chosen = self.languages == language
        if allowed is not None:
            chosen &= allowed[self.passages]
        return Best.of(self.passages[chosen], self.scores[chosen], depth)


def _likelier(*found: Matches) -> Matches:
    """All the words, each with the largest of its probabilities."""
    words = np.concatenate([matches.words for matches in found])
    probabilities = np.concatenate([matches.probabilities for matches in found])
    distinct, row = np.unique(words, return_inverse=True)
    largest = np.zeros(len(distinct))
    np.maximum.at(largest, row, probabilities)
    return Matches(distinct, largest)


def _occurrences(text: Bytes, asked: bytes) -> Iterator[int]:
    """Where `asked` stands in a text."""
    return (match.start() for match in re.finditer(re.escape(asked), text.data))


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
        self._first_word = np.cumsum([0, *sizes])
        self._skeletons = skeletons[order]
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
        passages, counts = self._postings(words)
        spellings, values = np.repeat(spellings, counts), np.repeat(values, counts)
        languages = np.repeat(self._language(words), counts)
        order = np.lexsort((-values, spellings, passages))
        passages, spellings, values, languages = passages[order], spellings[order], values[order], languages[order]
        best = np.ones(len(order), dtype=np.bool_)
        best[1:] = (np.diff(passages) != 0) | (np.diff(spellings) != 0)
        numbers, first, rows = np.unique(passages, return_index=True, return_inverse=True)
        scores = np.bincount(rows[best], values[best], len(numbers)).astype(np.float32)
        return Hits(numbers, scores, languages[first])

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
        skeletons = {skeleton(key), skeleton(key, vowelless=True)}
        ranges = np.searchsorted(self._skeletons, neighbours(skeletons))
        words = np.concatenate([np.arange(first, end) for first, end in ranges.tolist()] or [np.zeros(0, np.int64)])
        if among:
            allowed = np.isin(np.arange(len(FAMILIES)), [FAMILIES.index(kind) for kind in among])
            words = words[allowed[self._keys.families[words]]]
        words = words[self._worth_comparing(words, key, family)]
        probabilities = self._probabilities(words, key, family)
        own = self._written(words, form, key, family)
        probabilities[own] = 1.0
        same = self._keys.families[words] == FAMILIES.index(family)
        languages = self._language(words)
        known = np.isin(languages, languages[own])
        kept = own | ((probabilities >= UNLIKELY) & ~(same & known))
        found = Matches(words[kept], probabilities[kept])
        lacking = self._compounding.copy()
        lacking[languages[own]] = False
        if family == "l" and form and lacking.any() and len(form) >= SHORTEST_PART:
            found = _likelier(found, self._compounds(form, lacking), self._parts(form, lacking))
        return found

    def _compounds(self, form: str, languages: NDArray[np.bool_]) -> Matches:
        """The words of some languages that are put together with `form`, as their head or before it."""
        asked = form.encode()
        words, shares = [], []
        for place, segment in enumerate(self._segments):
            if not languages[segment.language]:
                continue
            starts = segment.forms.form_starts
            for at in _occurrences(segment.forms.forms, asked):
                word = int(np.searchsorted(starts, at, side="right")) - 1
                begin, end = int(starts[word]), int(starts[word + 1])
                share = compound_share(segment.forms.form(word), form, at - begin) if at + len(asked) <= end else 0.0
                if share:
                    words.append(self._first_word[place] + word)
                    shares.append(share)
        return Matches(self._places[np.array(words, dtype=np.int64)], np.array(shares))

    def _parts(self, form: str, languages: NDArray[np.bool_]) -> Matches:
        """Words of some languages that `form` may be put together of: the longest head and what begins it longest."""
        found = [Matches(np.zeros(0, np.int64), np.zeros(0))]
        missing = {HEAD: languages.copy(), MODIFIER: languages.copy()}
        for part, share in parts(form):
            if not missing[share].any():
                continue
            key = sound_key(part)
            first, end = np.searchsorted(self._skeletons, (skeleton(key), skeleton(key) + 1))
            words = np.arange(first, end)
            words = words[missing[share][self._language(words)]]
            words = words[self._written(words, part, key, "l")]
            missing[share][self._language(words)] = False
            found.append(Matches(words, np.full(len(words), share)))
        return Matches(np.concatenate([m.words for m in found]), np.concatenate([m.probabilities for m in found]))

    @cached_property
    def _places(self) -> IntArray:
        """Where each word, by segment and place there, stands in the directory."""
        places = np.empty(len(self._word), dtype=np.int64)
        places[self._first_word[self._segment] + self._word] = np.arange(len(self._word))
        return places

    def _probabilities(self, words: IntArray, key: str, family: str) -> Float64Array:
        """How likely each word is the one with this key, by its sound; 0 for some that are less likely than
        `UNLIKELY`."""
        chance = self._chance[self._language(words)]
        # Less a little for sums in float32.
        least = chance + SOFTNESS * np.log(UNLIKELY / (1.0 - UNLIKELY)) - 0.01
        odds = odds_above(codes_of([key])[0].astype(np.uint8), family, self._keys.take(words), least)
        found: Float64Array = 1.0 / (1.0 + np.exp((chance - odds) / SOFTNESS))
        return found

    def _written(self, words: IntArray, form: str, key: str, family: str) -> NDArray[np.bool_]:
        """Which words are written as `form`."""
        own: NDArray[np.bool_] = self._skeletons[words] == skeleton(key, family == "a")
        own &= (self._keys.lengths[words] == len(key)) & (self._keys.families[words] == FAMILIES.index(family))
        places = np.flatnonzero(own)
        if len(places):
            own[places] = (self._keys.take(words[places]).matrix() == codes_of([key])).all(axis=1)
        for place in np.flatnonzero(own).tolist():
            own[place] = self._form(int(words[place])) == form
        return own

    def _worth_comparing(self, words: IntArray, key: str, family: str) -> NDArray[np.bool_]:
        """Which words are compared: those in another family, and those in the key's own that begin with its consonants
        or, where it has more than the fewest, differ by no more letters than a slip or two."""
        own = skeleton(key)
        consonants = count_consonants(own)
        begins = self._skeletons[words] >> (30 - 3 * consonants) == own >> (30 - 3 * consonants)
        slip = np.abs(self._keys.lengths[words] - len(key)) <= 2
        other = self._keys.families[words] != FAMILIES.index(family)
        kept: NDArray[np.bool_] = other | begins | (slip if consonants > SHORTEST else False)
        return kept

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
        parts, firsts = [], []
        for segment, word in zip(self._segment[words].tolist(), self._word[words].tolist(), strict=True):
            opened = self._segments[segment]
            start, end = opened.forms.posting_starts[word : word + 2]
            parts.append(opened.forms.postings[start:end])
            firsts.append(opened.first)
        offsets, ends = decode(np.concatenate(parts), np.cumsum([0, *map(len, parts)]))
        counts = np.diff(ends)
        return offsets + np.repeat(firsts, counts), counts
