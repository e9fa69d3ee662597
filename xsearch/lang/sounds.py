"""Keys, families and skeletons of many words: what `lang.romanise` says of each, in half the time.

Words of alphabets, abjads, Devanagari, Hangul and Han are the lines of one text: their characters are romanised one by
one, and what is folded are runs of letters. What is read otherwise (kana, Greek, Thai, …) is left to `lang.romanise`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xsearch.lang.fold import fold_each, folding
from xsearch.lang.romanise import (
    ARTICLE,
    ASCII,
    CLASSES,
    LETTERS,
    MAX_KEY,
    PINYIN,
    PINYIN_SOUNDS,
    SKELETON,
    SOUNDS,
    family,
    sound_key,
)

_DROPPED = re.compile("[^a-z0-9\n]")
_FOLLOWED = re.compile(r"(.)(?=\1)")
_NUMBER = re.compile("^[0-9]+$", re.MULTILINE)
_SEVERAL = {letters: sound for letters, sound in SOUNDS.items() if len(letters) > 1}
_CLUSTER = re.compile("|".join(_SEVERAL))
# A sound that is itself a letter to be replaced waits as a capital.
_CLUSTER_SOUNDS = {letters: sound.replace("c", "C").replace("x", "X") for letters, sound in _SEVERAL.items()}
_SINGLE = str.maketrans({letter: sound for letter, sound in SOUNDS.items() if len(letter) == 1} | {"C": "c", "X": "x"})


@cache
def _kinds() -> re.Pattern[str]:
    """Words, beside those of ASCII, whose characters are romanised one by one, by family."""
    return re.compile(
        "(?P<c>[а-яёђ-џґўა-ჰա-ֆ][0-9а-яёђ-џґўა-ჰա-ֆ]*)|(?P<a>[ا-غف-يא-ת]+)"
        "|(?P<i>[अ-ह][ऀ-ः़ा-्अ-ह]*)|(?P<h>[가-힣]+)|(?P<z>[一-龥]+)"
    )


def sound_keys(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The `family` and the `sound_key` of every word. None holds a line's end."""
    match = _kinds().fullmatch
    found = ["l" if word.isascii() else (kind.lastgroup or "") if (kind := match(word)) else "" for word in words]
    keys = [""] * len(words)
    pinyin = [place for place, kind in enumerate(found) if kind == "z"]
    others = [place for place, kind in enumerate(found) if kind not in ("z", "")]
    for places, is_pinyin in ((pinyin, True), (others, False)):
        if not places:
            continue
        lines = "\n".join(fold_each(folding("general"), [words[place] for place in places]))
        latin = ARTICLE.sub("", lines).translate(LETTERS).translate(ASCII)
        if is_pinyin:
            latin = PINYIN.sub(lambda at: PINYIN_SOUNDS[at.group()], latin)
        for place, key in zip(places, _folded(latin).split("\n"), strict=True):
            keys[place] = key[:MAX_KEY]
    for place in [place for place, kind in enumerate(found) if not kind]:
        found[place], keys[place] = family(words[place]), sound_key(words[place])
    return found, keys


def _folded(latin: str) -> str:
    """Romanised words, a line each, as keys."""
    letters = _NUMBER.sub("", _DROPPED.sub("", latin))
    sounds = _CLUSTER.sub(lambda at: _CLUSTER_SOUNDS[at.group()], letters).translate(_SINGLE)
    return _FOLLOWED.sub("", sounds)


def skeletons(families: Sequence[str], keys: Sequence[str]) -> NDArray[np.int64]:
    """The `skeleton` of every key, int64 (n,); without v in abjads."""
    vowelless = np.fromiter((family == "a" for family in families), dtype=np.bool_, count=len(families))
    lengths = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
    owners = np.repeat(np.arange(len(keys)), lengths)
    letters = np.frombuffer("".join(keys).encode("ascii"), dtype=np.uint8)
    kinds = _class_table()[vowelless[owners].astype(np.int64), letters]
    counted = kinds > 0
    kinds, owners = kinds[counted], owners[counted]
    before = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=len(keys)))))
    places = np.arange(len(owners)) - before[owners]
    first = places < SKELETON
    # Three bits a class; as floats the sums are exact, being below 2^53.
    weights = kinds[first] << (3 * (SKELETON - 1 - places[first]))
    return np.bincount(owners[first], weights=weights, minlength=len(keys)).astype(np.int64)


@cache
def _class_table() -> NDArray[np.int64]:
    """The class of every ASCII letter of keys, 0 for none: of all, and without v; int64 (2, 128)."""
    table = np.zeros((2, 128), dtype=np.int64)
    for letter, number in CLASSES.items():
        table[:, ord(letter)] = number
    table[1, ord("v")] = 0
    return table
