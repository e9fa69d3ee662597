"""Pairs of keys of one name, from lexicons of names: what `train.spellings` learns from."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from xsearch.lang.fold import folding
from xsearch.lang.romanise import FAMILIES, family, sound_key
from xsearch.lang.spellings import joint_lines
from xsearch.lang.words import word_pattern
from xsearch.train.rows import read_records
from xsearch.train.spellings import learn

LATIN = frozenset(
    ["af", "bs", "cy", "de", "es", "et", "fi", "fr", "hr", "hu", "is", "lt", "lv", "pl", "sq", "tl", "tr", "az"]
)
"""Languages that spell foreign names anew in Latin letters."""
ALIKE = {"l": 0.75, "z": 0.45}
"""How alike the consonants of two words must be (of Latin ones, their keys): what is less alike is a translation."""
ALIKE_ELSEWHERE = 0.55
MOST = 6000
"""Pairs of a family that are learnt from."""
_VOWELS = str.maketrans("", "", "aeiouhv")
_fold = folding("general")


def train_spellings(lexicons: Sequence[Path], excluded: Collection[str] = (), seed: int = 2) -> str:
    """The text of `lang/data/spellings.tsv`, learnt from lexicons: JSON lines of {language: [names]} with "en".

    excluded: words that must not be learnt from, such as those of a test. Raises `BadInput` for a file that is none.
    """
    pairs: dict[str, set[tuple[str, str]]] = defaultdict(set)
    banned = {form for word in excluded for form in words_of(word)}
    for path in lexicons:
        for _, record in read_records(path):
            for kind, pair in _pairs(record, banned):
                pairs[kind].add(pair)
    tables = {}
    for kind in FAMILIES:
        found = sorted(pairs[kind])
        random.Random(seed).shuffle(found)
        tables[kind] = learn(found[:MOST])
    return joint_lines(tables)


def words_of(name: str) -> list[str]:
    """The words of a name, folded."""
    return word_pattern().findall(_fold(name))


def _pairs(record: dict[str, object], banned: set[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """For each word of an English name and the same word of another language's, its family and both keys."""
    names = {lang: value[0] for lang, value in record.items() if isinstance(value, list) and value}
    english = words_of(str(names.pop("en", "")))
    for lang, name in names.items():
        other = words_of(str(name))
        if len(other) != len(english):
            continue
        for one, two in zip(english, other, strict=True):
            kind = family(two)
            if (
                family(one) != "l"
                or not kind
                or banned & {one, two}
                or (kind == "l" and (lang not in LATIN or one == two))
            ):
                continue
            keys = sound_key(one), sound_key(two)
            if len(keys[0]) > 2 and len(keys[1]) > 1 and _alike(*keys, kind):
                yield kind, keys


def _alike(one: str, two: str, kind: str) -> bool:
    if kind != "l":
        one, two = one.translate(_VOWELS), two.translate(_VOWELS)
    return SequenceMatcher(None, one, two).ratio() > ALIKE.get(kind, ALIKE_ELSEWHERE)
