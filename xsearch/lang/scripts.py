"""Scripts: which writing system the letters of a text belong to (ISO 15924 codes)."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from xsearch.lang.tables import code_point_ranges

COMMON = "Zyyy"
"""The script of digits, punctuation, symbols and everything else that belongs to no script of its own."""

SYLLABIC = frozenset(("Thai", "Laoo", "Khmr", "Mymr"))
"""Scripts without spaces between words whose orthographic units (`lang.words.units`) are about a syllable."""


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


def scripts_of_all(texts: Sequence[str]) -> list[dict[str, int]]:
    """`scripts_of` every text, scripts in any order: characters of all texts are looked up and counted together."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    numbers, names = _numbers.of(codes)
    cells = np.repeat(np.arange(len(texts)) * len(names), lengths) + numbers
    counts = np.bincount(cells, minlength=len(texts) * len(names)).reshape(len(texts), len(names))
    found: list[dict[str, int]] = [{} for _ in texts]
    # Column 0 is for what has not been looked up, column 1 for what is no letter.
    rows, columns = np.nonzero(counts[:, 2:])
    for row, column, count in zip(rows.tolist(), columns.tolist(), counts[rows, columns + 2].tolist(), strict=True):
        found[row][names[column + 2]] = count
    return found


class _LetterNumbers:
    """Scripts of letters as numbers from 2 on, 1 for what is not a letter; filled as characters are met."""

    def __init__(self) -> None:
        self._known = {"": 1}
        self._table = np.zeros(0, dtype=np.uint8)
        self._lock = Lock()

    def of(self, codes: NDArray[np.uint32]) -> tuple[NDArray[np.uint8], list[str]]:
        """The number of each code point, and the script of each number."""
        with self._lock:
            if not len(self._table):
                self._table = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
            numbers = self._table[codes]
            if not numbers.all():
                for code in np.unique(codes[numbers == 0]).tolist():
                    script = _letter_scripts[chr(code)]
                    self._table[code] = self._known.setdefault(script, len(self._known) + 1)
                numbers = self._table[codes]
            return numbers, ["", *self._known]


_numbers = _LetterNumbers()


def script_ranges(*scripts: str) -> str:
    """The code points of some scripts, as the inside of a regular expression's character class."""
    wanted = set(scripts)
    return "".join(f"{chr(a)}-{chr(b)}" for a, b, (name,) in code_point_ranges("scripts.tsv") if name in wanted)
