"""Folded words of a text: what the subword vocabulary is learnt from and segments.

A word is a run of letters and marks of one script (Han, Hiragana and Katakana count as one), or a run of digits,
between white space, punctuation and symbols, which are left out. Characters are decomposed (NFKD), lower-cased, freed
of the combining marks of Latin, Greek, Cyrillic, Arabic and Hebrew, and recomposed; letters as Vietnamese writes them
keep their marks; digits of all scripts become ASCII's. All of that happens character by character after NFC, so that
every folded character has one place in the text.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDED_MARKS = re.compile(
    "["
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff"  # of Latin, Greek and Cyrillic
    "\u0483-\u0487"  # Cyrillic titlo and its kin
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew points
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"  # Arabic
    "]"
)
VIETNAMESE = re.compile("[\u01a0\u01a1\u01af\u01b0\u1ea0-\u1ef9]")
"""Letters with horn, hook, dot below or two marks. Without its tones Vietnamese has a few hundred syllables left, and
half of its words would look like each other."""
INVISIBLE = frozenset("\u0640\u00ad\u034f\u200b\u200d\u2060\ufeff")
"""Tatweel, soft hyphen, joiners: left out without a break. The zero-width non-joiner, a morpheme boundary in Persian,
breaks as a space does."""

EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC", "BOPOMOFO", "KANGXI"})
BREAK, JOIN = "", "·"


class _Characters(dict[str, tuple[str, str]]):
    """Character → (script, folded form), made on first sight. The script is `BREAK` between words and `JOIN` for a
    character that continues any word."""

    def __missing__(self, character: str) -> tuple[str, str]:
        entry = self[character] = (_script(character), _fold(character))
        return entry


CHARACTERS = _Characters()


def _script(character: str) -> str:
    if character in INVISIBLE or FOLDED_MARKS.match(character):
        return JOIN
    kind = unicodedata.category(character)
    if kind == "Nd":
        return "DIGIT"
    if kind[0] not in "LMN":
        return BREAK
    # The first word of a letter's name is its script; the standard library has no other table of scripts.
    first = unicodedata.name(unicodedata.normalize("NFKD", character)[0], "UNNAMED").split(" ")[0]
    if first in ("COMBINING", "VARIATION", "MODIFIER"):
        return JOIN
    return "CJK" if first in EAST_ASIAN else first


def _fold(character: str) -> str:
    if character in INVISIBLE:
        return ""
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    if VIETNAMESE.match(character):
        return character.lower()
    plain = FOLDED_MARKS.sub("", unicodedata.normalize("NFKD", character.lower()).lower())
    kept = "".join(c for c in plain if unicodedata.category(c)[0] in "LMN")
    return unicodedata.normalize("NFC", kept)


class Word(NamedTuple):
    """A folded word; `places[i]` is where in the text its i-th character came from."""

    text: str
    places: list[int]


def fold(text: str) -> list[Word]:
    """The folded words of `text`, in order."""
    words: list[Word] = []
    word = ""
    places: list[int] = []
    script = BREAK
    for place, character in _composed(text):
        kind, folded = CHARACTERS[character]
        if kind != script and kind is not JOIN:
            if word:
                words.append(_recomposed(word, places))
                word, places = "", []
            script = kind
        # A mark that nothing precedes has nothing to join.
        if script and (word or kind is not JOIN):
            word += folded
            places += [place] * len(folded)
    if word:
        words.append(_recomposed(word, places))
    return words


def fold_all(stretches: Sequence[str]) -> list[str]:
    """The folded words of every stretch, which holds no white space, with space between: what `fold` gives, ten times
    as fast.

    All stretches are one text, whose characters are looked up and folded together. Stretches with characters that join,
    which depend on what precedes, are left to `fold`.
    """
    if not stretches:
        return []
    line = unicodedata.normalize("NFC", "\n".join(stretches))
    codes = np.frombuffer(line.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    kinds, folded = _CHARACTERS.of(codes)
    change = 1 + np.flatnonzero((kinds[1:] != kinds[:-1]) & (kinds[1:] >= _SCRIPTS) & (kinds[:-1] >= _SCRIPTS))
    several = sorted(set(codes[folded == _SEVERAL].tolist()))
    plain = np.where(folded == _SEVERAL, codes, folded) if several else folded
    text = np.insert(plain, change, ord(" ")).astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    for character in map(chr, several):
        # No character folds to one of these.
        text = text.replace(character, CHARACTERS[character][1])
    words = unicodedata.normalize("NFC", text).split("\n")
    joined = np.searchsorted(np.flatnonzero(codes == ord("\n")), np.flatnonzero(kinds == _JOINS))
    for number in set(joined.tolist()):
        words[number] = " ".join(word.text for word in fold(stretches[number]))
    return words


_BREAKS, _JOINS, _SCRIPTS = 1, 2, 3
_SEVERAL = 2**32 - 1
"""Stands for what a character folds to where that is not one character."""


class _CharacterTable:
    """Kinds of characters as numbers (`_BREAKS`, `_JOINS`, from `_SCRIPTS` on one for each script) and what they fold
    to, a space for what is between words; filled as characters are met."""

    def __init__(self) -> None:
        self._numbers = {BREAK: _BREAKS, JOIN: _JOINS}
        # Memory that is never written to is never taken.
        self._kinds = np.zeros(sys.maxunicode + 1, dtype=np.uint16)
        self._folded = np.zeros(sys.maxunicode + 1, dtype=np.uint32)
        self._lock = Lock()

    def of(self, codes: NDArray[np.uint32]) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
        """The kind of each code point, and the code point that it folds to or `_SEVERAL`."""
        kinds = self._kinds[codes]
        if not kinds.all():
            with self._lock:
                for code in set(codes[kinds == 0].tolist()):
                    script, folded = CHARACTERS[chr(code)]
                    # What joins is folded with what precedes it.
                    single = "\n" if code == ord("\n") else " " if script in (BREAK, JOIN) else folded
                    self._folded[code] = ord(single) if len(single) == 1 else _SEVERAL
                    self._kinds[code] = self._numbers.setdefault(script, len(self._numbers) + 1)
            kinds = self._kinds[codes]
        return kinds, self._folded[codes]


_CHARACTERS = _CharacterTable()


def _recomposed(word: str, places: list[int]) -> Word:
    """Half-width kana and their voicing marks, for one, compose only once they are folded."""
    if unicodedata.is_normalized("NFC", word):
        return Word(word, places)
    composed = list(_composed(word))
    return Word("".join(character for _, character in composed), [places[place] for place, _ in composed])


def _composed(text: str) -> Iterable[tuple[int, str]]:
    """(place, character) of NFC(text). Where NFC changes the text it is taken cluster by cluster, to know places."""
    if unicodedata.is_normalized("NFC", text):
        return enumerate(text)
    composed = []
    begin = 0
    while begin < len(text):
        end = begin + 1
        while end < len(text) and _composes(text[begin:end], text[end]):
            end += 1
        composed += [(begin, character) for character in unicodedata.normalize("NFC", text[begin:end])]
        begin = end
    return composed


def _composes(cluster: str, character: str) -> bool:
    """Whether NFC may change `character`, or what stands before it, because it follows `cluster`."""
    if unicodedata.combining(character):
        return True
    apart = unicodedata.normalize("NFC", cluster) + unicodedata.normalize("NFC", character)
    return unicodedata.normalize("NFC", cluster + character) != apart
