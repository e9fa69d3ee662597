"""How Japanese reads kanji: 東京 as トーキョー, 黒澤 as クロサワ, so that they meet Tokyo and Куросава.

`data/japanese_words.tsv` has the readings of names and ordinary words. Others are read kanji by kanji:
`data/readings.tsv` counts how often a kanji has a reading at the beginning of a word, further on and alone, in two
classes of words. They come out as the two ways that kanji are read in, by sounds taken from Chinese (on) and by
Japanese words (kun), which rarely mix:

    p(r | w) = Σ_c p(c) Π_i p_c(r_i | w_i, place_i) / Σ_r' …,   r = r_1 … r_n, a part for each kanji w_i

Readings are in katakana with ー for a long o or u, which Latin letters mostly leave out. Learnt by `train.readings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from xsearch.lang.tables import rows

PLACES = "abc"
"""Where in its word a kanji stands: alone, at the beginning, further on."""
CLASSES = 2
BACKOFF = 2.0
"""Readings that a kanji has anywhere, added to those in a class and a place."""
LONGEST_WORD = 4
"""Kanji of a word that is looked up, and of one that is read by its kanji."""
MOST = 5
"""Readings of a word that no table has."""
LIKELY = 0.1
"""What a further reading's probability must be of the likeliest's."""
_BEAM = 24
_VOICELESS = str.maketrans("ガギグゲゴザジズゼゾダヂヅデド", "カキクケコサシスセソタチツテト")

Readings = tuple[tuple[str, float], ...]
"""Readings of a word and how likely each is beside the likeliest, which comes first with 1."""


def place_of(index: int, length: int) -> int:
    """The place in `PLACES` of a kanji in a word of so many."""
    return 0 if length == 1 else 1 if index == 0 else 2


def repeated(word: str) -> str:
    """A word with what 々 repeats in its place."""
    return re.sub("(.)々", r"\1\1", word)


def readings_of(run: str, names_only: bool = False) -> list[Readings]:
    """The readings of each word that may be meant in a run of kanji: words that the table has, wherever they stand;
    elsewhere each two and three kanji, and one alone at the edge of its stretch; a short run of which a part is left as
    a whole. names_only: of names that the table has."""
    run = repeated(run)
    found: list[Readings] = []
    covered = [False] * len(run)
    for size in range(2, LONGEST_WORD + 1):
        for at in range(len(run) - size + 1):
            word = run[at : at + size]
            if (known := _words().get(word)) and (not names_only or word in _names()):
                found.append(tuple((reading, 1.0) for reading in known))
                covered[at : at + size] = [True] * size
    if names_only:
        return found
    if 2 < len(run) <= LONGEST_WORD and not all(covered) and (read := read_word(run)):
        found.append(read)
    for start, end in _stretches(covered):
        found += [read for word in _guessed(run[start:end]) if (read := read_word(word))]
    return found


@lru_cache(1 << 14)
def read_word(word: str) -> Readings:
    """The likeliest readings of a word of at most `LONGEST_WORD` kanji, () where one of them is unknown. Readings that
    differ in voicing alone (kawa, gawa), which is little to `lang.spellings`, count as one."""
    if known := _words().get(word):
        return tuple((reading, 1.0) for reading in known)
    total: dict[str, float] = {}
    for kind, share in enumerate(_shares()):
        beam = [("", share)]
        for index, kanji in enumerate(word):
            options = probabilities(_counts().get(kanji, ""), kind, place_of(index, len(word)))
            longer = [(begun + part, p * q) for begun, p in beam for part, q in options]
            beam = sorted(longer, key=lambda pair: (-pair[1], pair[0]))[:_BEAM]
        for reading, p in beam:
            total[reading] = total.get(reading, 0.0) + p
    best: dict[str, tuple[str, float]] = {}
    for reading, p in sorted(total.items(), key=lambda pair: (-pair[1], pair[0])):
        best.setdefault(reading.translate(_VOICELESS), (reading, p))
    ranked = list(best.values())[:MOST]
    return tuple((reading, p / ranked[0][1]) for reading, p in ranked if p >= LIKELY * ranked[0][1])


def _guessed(stretch: str) -> Iterator[str]:
    """What may be words of a stretch in which none is known."""
    if len(stretch) < 3:
        yield stretch
        return
    for size in (2, 3):
        yield from (stretch[at : at + size] for at in range(len(stretch) - size + 1))
    yield from (stretch[0], stretch[-1])


def _stretches(covered: list[bool]) -> Iterator[tuple[int, int]]:
    """Where nothing is covered, first and behind the last."""
    start = 0
    for at, done in enumerate([*covered, True]):
        if done:
            if at > start:
                yield start, at
            start = at + 1


@lru_cache(1 << 14)
def probabilities(line: str, kind: int, place: int) -> tuple[tuple[str, float], ...]:
    """p(reading | kanji, class, place) of a line of counts: `reading n n n n n n`, by class and place in it, the next
    behind a tab."""
    column = 1 + kind * len(PLACES) + place
    counted = [cell.split(" ") for cell in line.split("\t") if cell]
    own = [int(cell[column]) for cell in counted]
    anywhere = [sum(map(int, cell[1:])) for cell in counted]
    total, all_of_them = sum(own) + BACKOFF, sum(anywhere)
    return tuple(
        (cell[0], (count + BACKOFF * share / all_of_them) / total)
        for cell, count, share in zip(counted, own, anywhere, strict=True)
    )


@cache
def _counts() -> dict[str, str]:
    """Of each kanji the line of its counts; of "p", p(c)."""
    return {kanji: "\t".join(cells) for kanji, *cells in rows("readings.tsv")}


@cache
def _shares() -> tuple[float, ...]:
    return tuple(map(float, _counts()["p"].split(" ")))


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """Readings of words, the likeliest first."""
    found: dict[str, tuple[str, ...]] = {}
    for reading, names, others in rows("japanese_words.tsv"):
        for word in f"{names} {others}".split():
            found[word] = (*found.get(word, ()), reading)
    return found


@cache
def _names() -> frozenset[str]:
    """Words that are names more often than not."""
    return frozenset(word for _, names, _ in rows("japanese_words.tsv") for word in names.split())
