"""Japanese nouns with their readings: the dictionary IPADIC, as the package Janome carries it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from xsearch.core.extras import need

SURNAME, GIVEN, PLACE, WORD = "surname", "given", "place", "word"
_KINDS = {
    "名詞,固有名詞,人名,姓": SURNAME,
    "名詞,固有名詞,人名,名": GIVEN,
    "名詞,固有名詞,地域,一般": PLACE,
    "名詞,固有名詞,地域,国": PLACE,
    "名詞,一般,*,*": WORD,
    "名詞,サ変接続,*,*": WORD,
    "名詞,形容動詞語幹,*,*": WORD,
    "名詞,副詞可能,*,*": WORD,
}
KANJI = re.compile("[\u3400-\u4dbf\u4e00-\u9fff々]+")


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun in kanji. reading: katakana, ー for a long o or u. cost: of its use, a frequent one's is low, about 700
    times -ln p. kind: one of those above."""

    writing: str
    reading: str
    cost: int
    kind: str


def nouns() -> Iterator[Noun]:
    """All nouns written in kanji alone, in the dictionary's order. Raises `MissingExtra` without Janome."""
    entries = need("janome.sysdic", "readings", "learning the readings of kanji from IPADIC").entries()
    for _, (writing, _, _, cost, part, _, _, _, reading, spoken) in sorted(entries.items()):
        kind = _KINDS.get(part)
        if kind and KANJI.fullmatch(writing) and len(reading) == len(spoken):
            yield Noun(writing, _long(reading, spoken), cost, kind)


def _long(reading: str, spoken: str) -> str:
    """A reading with its long o and u as they are spoken; what is written ei stays, as it does in Latin letters."""
    return "".join(r if s == "ー" and r not in "ウオ" else s for r, s in zip(reading, spoken, strict=True))
