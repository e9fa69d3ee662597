"""Where words begin and end: runs of letters, marks and digits, found by one regular expression.

Scripts that put no spaces between words, and Hangul, whose spaced units glue particles to words, make runs of their
own, which are cut into orthographic units: a character of Han, kana or Hangul, a consonant with its vowels and tone
marks in Thai, Lao, Khmer and Burmese. What an analyzer makes of a run is its own affair.
"""

from __future__ import annotations

import re
import sys
from functools import cache

from xsearch.lang.scripts import script_ranges
from xsearch.lang.tables import code_point_ranges

UNIT_SCRIPTS = (
    ("Hani", "Hira", "Kana", "Bopo"),
    ("Hang",),
    ("Thai",),
    ("Laoo",),
    ("Khmr",),
    ("Mymr",),
    ("Lana",),
    ("Tale", "Talu", "Tavt"),
    ("Yiii",),
)
"""Scripts written without spaces between words (and Hangul); those of a group run together."""

FIRST_UNIT = "\u02ea"
"""The first character of any of them, a tone mark of Bopomofo; those below need not be looked up."""

_VARIATION_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Marks of voiced kana and the long vowel, which Unicode shares between scripts.
_KANA_MARKS = "\u3099-\u309c\u30fc-\u30fc\uff70-\uff70\uff9e-\uff9f"

_LAST_IN_TABLE = 0xFFFF
_BEYOND_TABLE = "(?=[\U00010000-\U0010ffff])"
_NO_ASCII_SIGN = r"(?=[^\x00-/:-@\[-`{-\x7f])"

# A unit is what a reader would not cut: a leading vowel goes with its consonant (Thai, Lao, New Tai Lue), marks and
# the consonants stacked below go with theirs (Khmer coeng, Burmese virama, a final killed by asat), voiced kana in two
# code points and decomposed Hangul are one.
_UNIT = re.compile(
    "[\u0e40-\u0e44\u0ec0-\u0ec4\u19b5-\u19b7\u19ba\uaab5\uaab6\uaab9\uaabb\uaabc]?"
    ".(?:"
    "[\u0e31\u0e33-\u0e3a\u0e45\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ece"
    "\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d"
    "\ua9e5\uaa7b-\uaa7d\u17b4-\u17d3\u17dd\u1a55-\u1a7f\uaab0-\uaabf\u19b0-\u19c0\u19c8\u19c9\u0300-\u036f"
    "\u3099\u309a\uff9e\uff9f\u1160-\u11ff\ud7b0-\ud7fb" + _VARIATION_SELECTORS + "]"
    "|(?<=[\u17d2\u1039\u1a60])."
    "|[\u1000-\u1021\u103f](?=[\u103a]|\u1037\u103a)"
    ")*",
    re.DOTALL,
)


def units(run: str) -> list[str]:
    """The orthographic units of a run of a unit script, in order; joined they are the run."""
    return _UNIT.findall(run)


@cache
def _unit_classes() -> tuple[str, ...]:
    return tuple(script_ranges(*group) + (_KANA_MARKS if "Kana" in group else "") for group in UNIT_SCRIPTS)


@cache
def _spaced_class(lowest: int = 0, highest: int = sys.maxunicode) -> str:
    """Word characters that belong to no unit script, as the inside of a character class; some code points' only."""
    taken = sorted(
        (ord(match[1]), ord(match[2]))
        for inside in _unit_classes()
        for match in re.finditer("(.)-(.)", inside, re.DOTALL)
    )
    pieces = []
    for first, last, _ in code_point_ranges("wordchars.tsv"):
        for low, high in taken:
            if high < first or low > last:
                continue
            if low > first:
                pieces.append((first, low - 1))
            first = high + 1
        if first <= last:
            pieces.append((first, last))
    inside = [(max(first, lowest), min(last, highest)) for first, last in pieces]
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in inside if first <= last)


@cache
def word_pattern(joiners: str = "") -> re.Pattern[str]:
    """The expression whose matches are words and runs. `joiners` are signs that keep two parts one word (п'ять).

    A trailing ``++`` or ``#`` stays with its word, which keeps C++ and C# apart from C.
    """
    # The regular expression engine looks a character up in a table below U+10000 and tries range by range above. So
    # ranges above are tried where such a character stands, and nothing is tried where ASCII says that no word begins.
    spaced = f"(?:[{_spaced_class(0, _LAST_IN_TABLE)}]++|{_BEYOND_TABLE}[{_spaced_class(_LAST_IN_TABLE + 1)}]++)++"
    if joiners:
        spaced += f"(?:[{re.escape(joiners)}]{spaced})*"
    runs = "|".join(f"[{inside}{_VARIATION_SELECTORS}]+" for inside in _unit_classes())
    return re.compile(rf"{_NO_ASCII_SIGN}(?:{spaced}(?:\+\+|#(?![^\W_]))?|{runs})")


@cache
def unit_run_pattern() -> re.Pattern[str]:
    """Matches one character of a unit script: whether a match of `word_pattern` is a run is told by its first."""
    return re.compile(f"[{''.join(_unit_classes())}]")


@cache
def whole_units_pattern() -> re.Pattern[str]:
    """Matches runs in which every character is a unit, which folds to one character whatever stands beside it: of
    ideographs, kana and syllables of Hangul."""
    return re.compile("[一-龥ぁ-ゖァ-ヺー々가-힣]+")
