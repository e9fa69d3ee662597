"""Scripts: which writing system the letters of a text belong to (ISO 15924 codes)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from functools import cache

from xsearch.lang.tables import code_point_ranges

COMMON = "Zyyy"
"""The script of digits, punctuation, symbols and everything else that belongs to no script of its own."""


@cache
def _ranges() -> tuple[list[int], list[int], list[str]]:
    firsts, lasts, names = [], [], []
    for first, last, (name,) in code_point_ranges("scripts.tsv"):
        firsts.append(first)
        lasts.append(last)
        names.append(name)
    return firsts, lasts, names


class _Scripts(dict[str, str]):
    """Script by character, filled as characters are met."""

    def __missing__(self, char: str) -> str:
        firsts, lasts, names = _ranges()
        at = bisect_right(firsts, ord(char)) - 1
        self[char] = script = names[at] if at >= 0 and ord(char) <= lasts[at] else COMMON
        return script


_scripts = _Scripts()


def script_of(char: str) -> str:
    """The script of one character, "Zyyy" for what is common to all."""
    return _scripts[char]


class _LetterScripts(dict[str, str]):
    """Script by character, "" for what is not a letter; filled as characters are met."""

    def __missing__(self, char: str) -> str:
        script = script_of(char) if char.isalpha() else COMMON
        self[char] = script = "" if script == COMMON else script
        return script


_letter_scripts = _LetterScripts()


def scripts_of(text: str) -> dict[str, int]:
    """How many letters of each script a text holds, most frequent script first. Marks, digits, signs count nowhere."""
    counts: Counter[str] = Counter()
    for char, n in Counter(text).items():
        if script := _letter_scripts[char]:
            counts[script] += n
    return dict(counts.most_common())


def script_ranges(*scripts: str) -> str:
    """The code points of some scripts, as the inside of a regular expression's character class."""
    wanted = set(scripts)
    return "".join(f"{chr(a)}-{chr(b)}" for a, b, (name,) in code_point_ranges("scripts.tsv") if name in wanted)
