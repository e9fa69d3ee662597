"""Learning how Japanese reads kanji, from words with their readings: the tables of `lang.readings`.

A word's reading is divided among its kanji, each of which has at least one syllable of it, without the division being
told (many-to-many alignment: Jiampojamarn, Kondrak and Sherif, NAACL 2007, with one letter on the side of kanji). By
expectation maximisation over all divisions a of all words, in C classes of words:

    p(c, a | w, r) ∝ p(c) Π_i p_c(a_i | w_i, place_i)

whose sums are the next counts. Classes begin with what is likely: ordinary words are mostly read one way, names the
other.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, pairwise
from pathlib import Path

from xsearch.core import BadInput
from xsearch.lang.readings import BACKOFF, CLASSES, LONGEST_WORD, PLACES, place_of, repeated
from xsearch.train.ipadic import GIVEN, KANJI, PLACE, SURNAME, WORD, Noun, nouns
from xsearch.train.rows import read_records

COUNTS, WORDS = "readings.tsv", "japanese_words.tsv"
ROUNDS = 5
LONGEST_PART = 5
"""Syllables that one kanji may have."""
LONGEST_READING = 10
"""Syllables of a reading; what is longer teaches little and takes long."""
LISTED = {SURNAME: 20_000, GIVEN: 8_000, PLACE: 8_600, WORD: 5_000}
"""Nouns of a lower cost are listed as words."""
READINGS_OF_A_WORD = 2
NEAR = 2_000
"""How much more a further reading of a word may cost than its first."""
FEWEST = 1.0
"""Counts of a reading that is kept."""
SCALE = 4
"""Counts are kept in fractions of so many."""
FIRST = 0.8
"""How much of a word belongs to the class of its kind before anything is known."""
RARE = 1e-6
NEGLIGIBLE = 1e-4
_SYLLABLE = re.compile("[^ー][ャュョァィゥェォ]?ー?")
_LONG_VOWEL = re.compile("(?<=[オコゴソゾトドノホボポモヨョロウクグスズツヌフブプムユュルォ])ウ")
_FROM_HIRAGANA = {code: code + 96 for code in range(ord("ぁ"), ord("ゖ") + 1)}
LEXICON_COST = 8_000
"""Taken for the cost of a lexicon's words, which come without."""

Counts = Mapping[str, Mapping[str, Sequence[float]]]
"""Of each kanji and reading, how often in each class and place: CLASSES × PLACES numbers, class by class."""
_Gathered = dict[str, dict[str, list[float]]]


@dataclass(frozen=True, slots=True)
class Word:
    """A word to learn from: its kanji, whether it is an ordinary one, what it counts, and all ways to divide its
    reading among its kanji."""

    kanji: str
    ordinary: bool
    weight: float
    ways: list[tuple[str, ...]]

    @classmethod
    def of(cls, noun: Noun) -> Word:
        """Frequent nouns count more, within limits: rare ones are many, and teach as much."""
        kanji = repeated(noun.writing)
        weight = min(5.0, max(0.3, math.exp((9_000 - noun.cost) / 2_000)))
        return cls(kanji, noun.kind == WORD, weight, list(divisions(noun.reading, len(kanji))))


def train_readings(lexicons: Sequence[Path], ipadic: bool, excluded: Collection[str] = ()) -> dict[str, str]:
    """The tables of `lang/data` by file name, learnt from lexicons (`lexicon_nouns`) and, where asked for, the nouns
    of IPADIC, which alone are listed as words: lexicons do not tell how frequent theirs are.

    excluded: words that must not be learnt from, such as those of a test. Raises `BadInput` for a lexicon that is none
    or nothing to learn from, `MissingExtra` for IPADIC without Janome.
    """
    listed = without(nouns() if ipadic else [], excluded)
    found = listed + without(chain.from_iterable(map(lexicon_nouns, lexicons)), excluded)
    if not found:
        raise BadInput("no word in kanji with a reading to learn from", ", ".join(map(str, lexicons)))
    return {COUNTS: counts_lines(*learn_counts(found)), WORDS: words_lines(listed)}


def divisions(reading: str, parts: int) -> Iterator[tuple[str, ...]]:
    """All ways to cut a reading between its syllables into so many parts of at most `LONGEST_PART`."""
    syllables = _SYLLABLE.findall(reading)
    count = len(syllables)
    if not parts <= count <= LONGEST_READING:
        return
    for cuts in combinations(range(1, count), parts - 1):
        edges = (0, *cuts, count)
        if all(end - start <= LONGEST_PART for start, end in pairwise(edges)):
            yield tuple("".join(syllables[start:end]) for start, end in pairwise(edges))


def lexicon_nouns(path: Path) -> Iterator[Noun]:
    """The words of a lexicon, JSON lines of {"ja": [word, reading in kana]}, that are written in kanji alone. Raises
    `BadInput` for a file that is none."""
    for where, record in read_records(path):
        forms = record.get("ja")
        if forms is None:
            continue
        if not isinstance(forms, list) or not all(isinstance(form, str) for form in forms):
            raise BadInput('"ja" is no list of a word and its reading', where)
        if len(forms) > 1 and KANJI.fullmatch(forms[0]):
            yield Noun(forms[0], _LONG_VOWEL.sub("ー", forms[1].translate(_FROM_HIRAGANA)), LEXICON_COST, WORD)


def without(given: Iterable[Noun], excluded: Collection[str]) -> list[Noun]:
    """The nouns of at most `LONGEST_WORD` kanji that are none of `excluded`, nor have one of several kanji in them."""
    banned = {word for word in excluded if KANJI.fullmatch(word)}
    kept = []
    for noun in given:
        size = len(noun.writing)
        inside = {noun.writing[i:j] for i in range(size) for j in range(i + 2, size + 1)} | {noun.writing}
        if size <= LONGEST_WORD and not inside & banned:
            kept.append(noun)
    return kept


def learn_counts(given: Iterable[Noun], rounds: int = ROUNDS) -> tuple[list[float], Counts]:
    """p(c), and the counts expected of all nouns."""
    words = [word for noun in given if (word := Word.of(noun)).ways]
    shares = [1.0 / CLASSES] * CLASSES
    counts: _Gathered = {}
    for _ in range(rounds):
        chances = _chances(counts)
        gathered: _Gathered = defaultdict(dict)
        totals = [0.0] * CLASSES
        for word in words:
            _gather(word, _weighed(word, shares, chances), gathered, totals)
        shares = [total / sum(totals) for total in totals]
        counts = gathered
    return shares, counts


def _chances(counts: Counts) -> list[dict[tuple[str, str], float]]:
    """p_c(reading | kanji, place) as `lang.readings.probabilities` has it, by class and place; [] without counts."""
    if not counts:
        return []
    chances: list[dict[tuple[str, str], float]] = [{} for _ in range(CLASSES * len(PLACES))]
    for kanji, readings in counts.items():
        own = [sum(numbers[column] for numbers in readings.values()) + BACKOFF for column in range(len(chances))]
        total = sum(map(sum, readings.values()))
        for reading, numbers in readings.items():
            share = BACKOFF * sum(numbers) / total
            for column, table in enumerate(chances):
                table[kanji, reading] = (numbers[column] + share) / own[column]
    return chances


def _weighed(
    word: Word, shares: Sequence[float], chances: Sequence[Mapping[tuple[str, str], float]]
) -> list[tuple[float, int, tuple[str, ...]]]:
    """Each class and way of a word with its probability, not normalised."""
    if not chances:
        return [
            (FIRST if word.ordinary == (kind == 0) else 1.0 - FIRST, kind, way) for kind in (0, 1) for way in word.ways
        ]
    found = []
    for kind, share in enumerate(shares):
        columns = _columns(word, kind)
        for way in word.ways:
            p = share
            for column, kanji, part in zip(columns, word.kanji, way, strict=True):
                p *= chances[column].get((kanji, part), RARE)
            found.append((p, kind, way))
    return found


def _gather(
    word: Word, weighed: Sequence[tuple[float, int, tuple[str, ...]]], counts: _Gathered, totals: list[float]
) -> None:
    """Add what is expected of one word."""
    total = sum(p for p, _, _ in weighed)
    for p, kind, way in weighed:
        expected = word.weight * p / total if total else 0.0
        if expected < NEGLIGIBLE:
            continue
        totals[kind] += expected
        for column, kanji, part in zip(_columns(word, kind), word.kanji, way, strict=True):
            counts[kanji].setdefault(part, [0.0] * (CLASSES * len(PLACES)))[column] += expected


def _columns(word: Word, kind: int) -> list[int]:
    """Where in its numbers each kanji's reading is counted."""
    size = len(word.kanji)
    return [kind * len(PLACES) + place_of(index, size) for index in range(size)]


def counts_lines(shares: Sequence[float], counts: Counts) -> str:
    """The text of `lang/data/readings.tsv`."""
    lines = [
        "# How often Japanese reads a kanji so, in quarters: class 1 alone, first, further on in a word; class 2.",
        "# The first line has p(class). Made by `xsearch train readings`; sources and terms: README.md.",
        "p\t" + " ".join(f"{share:.4f}" for share in shares),
    ]
    for kanji, readings in sorted(counts.items()):
        ranked = sorted(readings.items(), key=lambda item: (-sum(item[1]), item[0]))
        least = max(FEWEST, 0.01 * sum(map(sum, readings.values())))
        cells = [
            f"{reading} {' '.join(str(round(SCALE * number)) for number in numbers)}"
            for reading, numbers in ranked
            if sum(numbers) >= least
        ]
        if cells:
            lines.append("\t".join([kanji, *cells]))
    return "\n".join(lines) + "\n"


def words_lines(given: Iterable[Noun]) -> str:
    """The text of `lang/data/japanese_words.tsv`: names and frequent words by their readings. What is more frequent as
    an ordinary word than as a name is no name."""
    cheapest: dict[tuple[str, bool], int] = {}
    costs: dict[str, dict[str, int]] = defaultdict(dict)
    for noun in given:
        word = repeated(noun.writing)
        kind = word, noun.kind == WORD
        cheapest[kind] = min(noun.cost, cheapest.get(kind, noun.cost))
        if noun.cost < LISTED[noun.kind]:
            known = costs[word]
            known[noun.reading] = min(noun.cost, known.get(noun.reading, noun.cost))
    by_reading: dict[tuple[int, str], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for word, readings in costs.items():
        ranked = sorted(readings.items(), key=lambda item: (item[1], item[0]))[:READINGS_OF_A_WORD]
        ordinary = cheapest.get((word, True), math.inf) < cheapest.get((word, False), math.inf)
        for place, (reading, cost) in enumerate(ranked):
            if cost <= ranked[0][1] + NEAR:
                by_reading[place, reading][ordinary].append(word)
    lines = [
        "# Readings of Japanese words: katakana, names that have it, other words; a word's likeliest comes first.",
        "# Made by `xsearch train readings`; sources and terms: README.md.",
    ]
    for (_, reading), (names, others) in sorted(by_reading.items()):
        lines.append("\t".join([reading, " ".join(sorted(names)), " ".join(sorted(others))]))
    return "\n".join(lines) + "\n"
